/** Every import in the sources stays within the table of rooms. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rooms } from './rooms.js';

const sources = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

function roomOf(path: string): string {
  return relative(sources, path).split('/')[0];
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1]);
  return specifiers.map((specifier) => ({
    file: relative(sources, file),
    from: roomOf(file),
    to: roomOf(resolve(dirname(file), specifier)),
  }));
}

const files = sourceFiles(sources);
const imports = files.flatMap(importsOf);

describe('architecture', () => {
  it('has a row in the table for every room', () => {
    const found = new Set(files.map(roomOf));
    expect([...found].filter((room) => rooms[room] === undefined)).toEqual([]);
  });

  it('imports only downwards, along the allowed edges', () => {
    expect(imports.length).toBeGreaterThan(100);
    const forbidden = imports.filter(({ from, to }) => from !== to && !rooms[from].includes(to));
    expect(forbidden.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });

  it('keeps the table itself free of cycles: a room comes after all that it may import', () => {
    const order = Object.keys(rooms);
    for (const [room, allowed] of Object.entries(rooms)) {
      for (const other of allowed)
        expect(order.indexOf(other), `${room} -> ${other}`).toBeLessThan(order.indexOf(room));
    }
  });

  it('keeps protocol code from knowing who watches it', () => {
    const protocol = ['base', 'sim', 'memory', 'mm', 'drm', 'device', 'driver', 'actors', 'workload'];
    for (const room of protocol) {
      for (const watcher of ['observe', 'check', 'explore', 'report'])
        expect(rooms[room]).not.toContain(watcher);
    }
  });
});
