/** Assertions that stay on in every mode: they state what must hold, and are what exploration finds. */

/** A broken protocol assumption. Never caught by protocol code; the executor reports it with the actor and its last steps. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** `message` is a thunk where it formats values, so that a holding assertion on a hot path allocates nothing. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionFailure(typeof message === 'string' ? message : message());
}

/** For the arm of a closed union that types say cannot exist. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
