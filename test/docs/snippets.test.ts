/** What the documents show works: code runs, scenarios are valid, commands exist with their options, and pages lead to one another. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import ts from 'typescript';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { buildProgram } from '../../src/cli/program.js';
import { scenarioFromText } from '../../src/scenario/loadScenario.js';
import { FakeHost } from '../cli/fakeHost.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Code has to lie within the package, where its imports are found. */
const scratch = join(root, 'test/docs/.snippets');
const generated = new Set(['docs/scenario-reference.md', 'docs/case-reference.md', 'docs/kernel-map.md']);
const manifestSchema = z.object({ files: z.array(z.string()) });
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

interface Snippet {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

function snippetsOf(page: string): Snippet[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const snippets: Snippet[] = [];
  let open: { line: number; language: string; text: string[] } | null = null;
  lines.forEach((line, i) => {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) open?.text.push(line);
    else if (open === null) open = { line: i + 1, language: fence[1], text: [] };
    else {
      snippets.push({ page, line: open.line, language: open.language, text: open.text.join('\n') });
      open = null;
    }
  });
  return snippets;
}

const snippets = pages.filter((page) => !generated.has(page)).flatMap(snippetsOf);

function named(language: string): [string, Snippet][] {
  return snippets
    .filter((one) => one.language === language)
    .map((one): [string, Snippet] => [`${one.page}:${one.line}`, one]);
}

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('code', () => {
  it.each(named('ts'))('%s runs', async (name, { text }) => {
    mkdirSync(scratch, { recursive: true });
    const file = join(scratch, `${name.replace(/\W/g, '-')}.ts`);
    writeFileSync(file, text);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await import(file);
    log.mockRestore();
  });

  it('compiles as strictly as users may ask for', () => {
    mkdirSync(scratch, { recursive: true });
    const files = named('ts').map(([name, { text }]) => {
      const file = join(scratch, `${name.replace(/\W/g, '-')}.strict.ts`);
      writeFileSync(file, text);
      return file;
    });
    const program = ts.createProgram(files, {
      strict: true,
      noUncheckedIndexedAccess: true,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      skipLibCheck: true,
      noEmit: true,
      types: [],
    });
    const mistakes = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const at =
        file === undefined
          ? ''
          : `${file.fileName}:${(file.getLineAndCharacterOfPosition(start ?? 0).line ?? 0) + 1} `;
      return `${relative(scratch, at)}${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
    expect(files.length).toBeGreaterThan(5);
    expect(mistakes).toEqual([]);
  });
});

describe('scenarios', () => {
  it.each(named('yaml'))('%s is valid', (_name, { page, text }) => {
    expect(scenarioFromText(join(root, page), text).deviceCount).toBeGreaterThan(0);
  });
});

/** Each command line of a snippet without a language, as its words. */
function commandLines({ text }: Snippet): string[][] {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/\s#.*$/, '')
        .split(' && ')[0]
        .trim(),
    )
    .map((line) => line.replace(/^(?:npm run svmsim --|npx tsx src\/cli\/main\.ts|npx svmsim) ?/, 'svmsim '))
    .filter((line) => line.startsWith('svmsim ') && !line.startsWith('svmsim: '))
    .map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]).slice(1));
}

/** Takes a command line as far as its action, which does nothing. */
async function parse(words: readonly string[]): Promise<void> {
  const host = new FakeHost();
  const program = buildProgram(host, () => {});
  const disarm = (command: Command): void => {
    command.action(() => {});
    for (const inner of command.commands) disarm(inner);
  };
  for (const command of program.commands) disarm(command);
  await program.parseAsync([...words], { from: 'user' });
}

describe('commands', () => {
  const lines = snippets
    .filter(({ language }) => language === '' || language === 'sh')
    .flatMap((snippet) =>
      commandLines(snippet).map((words): [string, string[]] => [
        `${snippet.page}: ${words.join(' ')}`,
        words,
      ]),
    );

  it('are there', () => {
    expect(lines.length).toBeGreaterThan(30);
  });

  it.each(lines)('%s', async (_name, words) => {
    await parse(words);
  });

  it('that do not exist are noticed', async () => {
    await expect(parse(['run', '--nonsense'])).rejects.toThrow(/unknown option/);
    await expect(parse(['walk'])).rejects.toThrow(/unknown command/);
  });
});

describe('pages', () => {
  function linksOf(page: string): string[] {
    const text = readFileSync(join(root, page), 'utf8').replace(/```[\s\S]*?```/g, '');
    return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, link]) => link)
      .filter((link) => !link.includes('://'))
      .map((link) => relative(root, join(root, dirname(page), link)));
  }

  it.each(pages)('%s leads nowhere that is not there', (page) => {
    expect(linksOf(page).filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  it('lead only to what is packed, so that they also hold where svmsim is installed', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { files } = manifestSchema.parse(manifest);
    const isPacked = (link: string): boolean =>
      files.some((packed) => link === packed || link.startsWith(`${packed}/`));
    const missing = pages.flatMap((page) =>
      linksOf(page)
        .map((link) => link.replace(/\/$/, ''))
        .filter((link) => !isPacked(link))
        .map((link) => `${page}: ${link}`),
    );
    expect(missing).toEqual([]);
  });

  it('show scenarios whose files are packed', () => {
    const named = snippets
      .filter(({ language }) => language === 'yaml')
      .flatMap(({ page, text }) =>
        [...text.matchAll(/^ *file: (\S+)$/gm)].map(([, file]) => `${page}: ${file}`),
      );
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((file) => !file.includes('../config/'))).toEqual([]);
  });

  it('can all be found from the README by way of the index', () => {
    expect(linksOf('README.md')).toContain('docs/index.md');
    const listed = new Set(linksOf('docs/index.md'));
    const hidden = pages.filter(
      (page) => page.startsWith('docs/') && page !== 'docs/index.md' && !listed.has(page),
    );
    expect(hidden).toEqual([]);
  });
});
