/** How the process ends, and what is said on standard error when that is by an error. */

import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { UserError } from '../base/userError.js';
import type { Verdict } from '../report/verdict.js';
import type { CliHost } from './cliHost.js';

export const ExitStatus = {
  /** All checks hold. */
  Ok: 0,
  /** A check, a result or an expectation failed; also when the run was interrupted afterwards. */
  CheckFailed: 1,
  BadInput: 2,
  InternalError: 3,
  /** Stopped by a signal, with partial results. */
  Interrupted: 130,
} as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

export const BUG_LINE = 'This is a bug in svmsim. Please report it with the command that you typed.';

export interface ErrorAnswer {
  readonly status: ExitStatus;
  /** Null where everything has been said already. */
  readonly message: string | null;
}

export function statusOf({ ok, partial, internal }: Verdict): ExitStatus {
  if (internal) return ExitStatus.InternalError;
  if (!ok) return ExitStatus.CheckFailed;
  return partial ? ExitStatus.Interrupted : ExitStatus.Ok;
}

/** `withStack`: for those who look for the cause of an internal error. */
export function answerTo(error: unknown, withStack: boolean): ErrorAnswer {
  if (error instanceof UserError) return { status: ExitStatus.BadInput, message: `svmsim: ${error.message}` };
  // Commander has printed its message, or the help or version that was asked for.
  if (error instanceof CommanderError) {
    return { status: error.exitCode === 0 ? ExitStatus.Ok : ExitStatus.BadInput, message: null };
  }
  if (isAbort(error))
    return { status: ExitStatus.Interrupted, message: 'svmsim: interrupted before there was a result' };
  return { status: ExitStatus.InternalError, message: internalMessage(error, withStack) };
}

/** Whether the user looks for the cause of internal errors. */
export function wantsStack({ variables }: Pick<CliHost, 'variables'>): boolean {
  return variables.SVMSIM_DEBUG === '1';
}

/** What an operation that was given an abort signal rejects with. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

export function internalLine(message: string): string {
  return `svmsim: internal error: ${message}`;
}

/** What another thread could not send is no Error here, though it has the looks of one. */
function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return inspect(error);
  return String(error.message);
}

/** Of an error that counts against a part of what was asked for. */
export function internalText(error: unknown, withStack: boolean): string {
  const message = messageOf(error);
  return withStack && error instanceof Error && error.stack !== undefined
    ? `${message}\n${error.stack}`
    : message;
}

export function bugLine(withStack: boolean): string {
  return `${BUG_LINE}${withStack ? '' : ' (SVMSIM_DEBUG=1 prints the stack)'}`;
}

function internalMessage(error: unknown, withStack: boolean): string {
  return `${internalLine(internalText(error, withStack))}\n${bugLine(withStack)}`;
}
