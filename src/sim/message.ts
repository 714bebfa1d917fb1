/** Message types: names and typed fields of what actors say to one another, with the layout in a ring slot. */

import { assert } from '../base/assert.js';
import { type FieldCodec, fieldCodec } from './fieldCodec.js';
import { RING_ARGS_MAX } from './ring.js';

declare const fieldType: unique symbol;

/** A field of type `T`, carried as one double; `T` is a number or a brand of it. */
export interface Field<T extends number> {
  readonly [fieldType]?: T;
}

export type Fields = Readonly<Record<string, Field<number>>>;

export type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/** Declares a field of a brand or a plain number: `field<Vpn>()`. */
export function field<T extends number = number>(): Field<T> {
  return {};
}

/** A request with its reply, or, where `reply` is empty and nobody waits, a notice. */
export interface MessageType<Args extends Fields, Reply extends Fields> {
  readonly id: number;
  readonly name: string;
  readonly args: readonly (keyof Args & string)[];
  readonly reply: readonly (keyof Reply & string)[];
  readonly argCodec: FieldCodec;
  readonly replyCodec: FieldCodec;
  /** It takes effect as it is delivered, and says nothing in return: a peer that sleeps, and so will deliver it before it does anything, has as good as answered. */
  readonly isDeferrable: boolean;
}

/** What a request of this type says. */
export type ArgsOf<M> = M extends MessageType<infer Args, infer _> ? Values<Args> : never;

/** How a type differs from most. */
export interface MessageOptions {
  /** As {@link MessageType.isDeferrable}. */
  readonly isDeferrable?: boolean;
}

const names: string[] = [];

/** Registers a message type. All threads load the same module, so the numbers agree. */
export function defineMessage<Args extends Fields, Reply extends Fields>(
  name: string,
  args: Args,
  reply: Reply,
  { isDeferrable = false }: MessageOptions = {},
): MessageType<Args, Reply> {
  const argNames = Object.keys(args) as (keyof Args & string)[];
  const replyNames = Object.keys(reply) as (keyof Reply & string)[];
  assert(argNames.length <= RING_ARGS_MAX, () => `message ${name} has more than ${RING_ARGS_MAX} arguments`);
  assert(
    replyNames.length <= RING_ARGS_MAX,
    () => `message ${name} replies more than ${RING_ARGS_MAX} values`,
  );
  assert(!isDeferrable || replyNames.length === 0, () => `message ${name} replies, and cannot be deferred`);
  names.push(name);
  return {
    id: names.length,
    name,
    args: argNames,
    reply: replyNames,
    argCodec: fieldCodec(argNames),
    replyCodec: fieldCodec(replyNames),
    isDeferrable,
  };
}

/** Of all types, from number 1 on. */
export function messageNames(): readonly string[] {
  return [...names];
}

/** The name of the type with this number; a number without one is a corrupted ring. */
export function messageName(id: number): string {
  const name = names[id - 1];
  assert(name !== undefined, () => `message type ${id} does not exist`);
  return name;
}
