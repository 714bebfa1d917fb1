/** Nominal types over plain numbers, for quantities whose mix-up would be a bug. */

declare const brand: unique symbol;

/** `Brand<number, 'Pfn'>` is a number that only a function returning that brand can make. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
