/** Holds pages that were read against a pattern. */

import type { ExpectationOf } from './expectSchemas.js';
import {
  describeContent,
  firstDifference,
  formatWord,
  type PageContent,
  patternContent,
  wordAt,
} from './pageContent.js';
import { describeRet, type StepResult } from './stepResult.js';

type DataExpectation = ExpectationOf<'data'> | ExpectationOf<'data_before'>;

/** `off` counts pages from the first that was read; the pattern counts dwords from the start of the buffer. */
export function compareData(
  { off = 0, pages, equals }: DataExpectation,
  data: readonly PageContent[] | undefined,
  result: StepResult,
): { expected: string; found: string; pages: readonly number[] } | null {
  const { firstPage = 0 } = result;
  if (data === undefined) {
    const wanted = describeContent(patternContent(equals, firstPage + off));
    return {
      expected: `data from page ${firstPage + off} on: ${wanted}`,
      found: `none, ${describeRet(result)}`,
      pages: [],
    };
  }
  if (data.length <= off) {
    return {
      expected: `data from page ${firstPage + off} on`,
      found: `${data.length} pages of data`,
      pages: [],
    };
  }
  const end = pages === undefined ? data.length : off + pages;
  for (let at = off; at < end; at++) {
    const page = firstPage + at;
    const expected = patternContent(equals, page);
    const found = data[at];
    if (found === undefined) {
      return { expected: `${end} pages of data`, found: `${data.length}`, pages: [page] };
    }
    const word = firstDifference(expected, found);
    if (word < 0) continue;
    return {
      expected: `page ${page}: dword ${word} is ${formatWord(wordAt(expected, word))} (${describeContent(expected)})`,
      found: `${formatWord(wordAt(found, word))} (${describeContent(found)})`,
      pages: [page],
    };
  }
  return null;
}
