/** What a worker of a pool answers with: errors lose their class between threads, and a mistake of the user must stay one. */

import { UserError, type UserMistake } from '../base/userError.js';

export type TaskAnswer<Report> = { readonly report: Report } | { readonly mistake: UserMistake };

/** Runs a task in a worker. Errors that are no mistakes of the user go their own way. */
export async function answering<Report>(run: () => Report | Promise<Report>): Promise<TaskAnswer<Report>> {
  try {
    return { report: await run() };
  } catch (error) {
    if (error instanceof UserError) return { mistake: error.mistake };
    throw error;
  }
}

/** @throws UserError where that was the answer. */
export function reportIn<Report>(answer: TaskAnswer<Report>): Report {
  if ('mistake' in answer) throw new UserError(answer.mistake);
  return answer.report;
}
