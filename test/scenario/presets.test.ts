/** Cost presets: numbers, their sources, and mistakes in a preset of one's own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { configDir, loadPreset } from '../../src/scenario/presets.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();
const plainText = readFileSync(join(configDir(), 'presets', 'plain.yaml'), 'utf8');

describe('the preset plain', () => {
  const plain = loadPreset('plain', '.');

  it('has a source for every number', () => {
    expect(Object.keys(plain.sources)).toEqual(Object.keys(plain.numbers));
    for (const source of Object.values(plain.sources)) expect(source).toMatch(/.{10}/);
  });

  it('has published numbers for what was published', () => {
    expect(plain.numbers['host-link']).toBe(26);
    expect(plain.numbers['peer-link']).toBe(47.9);
    expect(plain.numbers['gpu-fault']).toBe(20_000);
  });

  it('adds up to the cost of a page that it was derived from', () => {
    const { numbers } = plain;
    const publishedNs = (966_000 * 0.77) / 512;
    expect(numbers['migrate-page'] + numbers['hmm-page']).toBeGreaterThan(publishedNs * 0.99);
    expect(numbers['migrate-page'] + numbers['hmm-page']).toBeLessThan(publishedNs * 1.01);
  });
});

describe('a preset of the user', () => {
  it('is found from the scenario, and names itself in the configuration', () => {
    scratch.write(
      'costs/mine.yaml',
      plainText.replace('name: plain', 'name: mine').replace('26GB/s', '52GB/s'),
    );
    const config = loadScenario(scratch.write('s.yaml', 'cost: { preset: costs/mine.yaml, syscall: 1us }'));
    expect(config.cost).toMatchObject({ preset: 'mine', hostLinkGBps: 52, syscallNs: 1000, messageNs: 1000 });
  });

  it('that is missing is a mistake of the scenario', () => {
    const path = scratch.write('s.yaml', 'seed: 1\ncost:\n  preset: none.yaml');
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      "s.yaml:3: key 'cost.preset': found none.yaml, no such file, allowed: a cost preset: a YAML map with name and numbers",
    );
  });

  it('by a name that is none is told with the file that would be it', () => {
    const path = scratch.write('s.yaml', 'cost: { preset: plane }');
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      "s.yaml:1: key 'cost.preset': found config/presets/plane.yaml, no such file, allowed: a cost preset: a YAML map with name and numbers",
    );
  });

  it('that lacks a source names its own line', () => {
    scratch.write('bad.yaml', plainText.replace(/ {4}source: nvbandwidth.*\n/, ''));
    const path = scratch.write('s.yaml', 'cost: { preset: bad.yaml }');
    const line = 1 + plainText.split('\n').findIndex((text) => text.startsWith('  host-link:'));
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      `bad.yaml:${line}: key 'numbers.host-link.source': found nothing, allowed: a text of 1 to 500 characters`,
    );
  });

  it('that lacks a number, or has one too many, is refused', () => {
    const load = (text: string) => scratch.mistakeOf(() => loadPreset(scratch.write('bad.yaml', text), '.'));
    expect(load('name: x\nnumbers: {}')).toMatch(
      /^bad\.yaml:2: key 'numbers\.host-link': found nothing, allowed: a map with the keys value, source$/,
    );
    expect(load(`${plainText}  warp: { value: 1us, source: guessed }\n`)).toMatch(
      /key 'numbers\.warp': found an unknown key, allowed: host-link, /,
    );
  });
});
