/** Mistakes of the user cross from a worker to the main thread with all of their parts: of other errors name, message and stack do. */

import { transferHandlers } from 'comlink';
import { UserError, type UserMistake } from '../base/userError.js';

/** How Comlink names what it does with an error that a call ends with. */
const THROWN = 'throw';

interface WithMistake extends Error {
  readonly mistake: UserMistake;
}

/** To be called once in a worker, before it answers anybody. */
export function sendMistakes(): void {
  const plain = transferHandlers.get(THROWN);
  if (plain === undefined) throw new Error('Comlink passes no errors on');
  transferHandlers.set(THROWN, {
    canHandle: (value): value is unknown => plain.canHandle(value),
    deserialize: (serialized) => plain.deserialize(serialized),
    serialize: (thrown) => {
      const mistake = mistakeThrown(thrown);
      const [sent, transferred] = plain.serialize(thrown);
      return [mistake === null ? sent : withMistake(sent, mistake), transferred];
    },
  });
}

/** The mistake that an error of another thread tells of; null where it is some other error. */
export function receivedMistake(error: unknown): UserError | null {
  return isMistake(error) ? new UserError(error.mistake) : null;
}

function isMistake(error: unknown): error is WithMistake {
  return error instanceof Error && error.name === 'UserError' && 'mistake' in error;
}

function mistakeThrown(thrown: unknown): UserMistake | null {
  return isObject(thrown) && 'value' in thrown && thrown.value instanceof UserError
    ? thrown.value.mistake
    : null;
}

/** Whatever stands in the value becomes a property of the error that the other side makes. */
function withMistake(sent: unknown, mistake: UserMistake): unknown {
  if (!isObject(sent) || !('value' in sent) || !isObject(sent.value)) return sent;
  return { ...sent, value: { ...sent.value, mistake } };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
