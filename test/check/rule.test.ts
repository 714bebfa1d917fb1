/** A rule says how much it looked at when it holds, and otherwise what is wrong, where, and what happened there last. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import { Rule, type Subject } from '../../src/check/rule.js';
import { pfn } from '../../src/memory/pfn.js';

const noEvents = (): string[] => [];

describe('rule', () => {
  it('tells what it looked at, also if that was nothing', () => {
    const rule = new Rule('X1', 'pages', 'entries', 'DMA addresses', 'in use');
    rule.look('pages', 12_345);
    rule.look('entries');
    rule.look('DMA addresses');
    rule.look('in use');
    expect(rule.result(noEvents)).toEqual({
      name: 'X1',
      ok: true,
      detail: '12,345 pages, 1 entry, 1 DMA address, 1 in use',
    });
    expect(new Rule('X2', 'pages').result(noEvents)).toEqual({
      name: 'X2',
      ok: true,
      detail: '0 pages',
      isEmpty: true,
    });
  });

  it('makes the words of a violation only when there is one', () => {
    const rule = new Rule('X1', 'pages');
    rule.require(true, {}, () => {
      throw new Error('not needed');
    });
    rule.require(false, { page: vpn(2) }, () => 'is wrong');
    expect(rule.result(noEvents).ok).toBe(false);
  });

  it('names page and frame, tells three violations, and shows the events on the first', () => {
    const rule = new Rule('X1', 'pages');
    rule.look('pages', 5);
    for (let i = 1; i <= 5; i++) rule.violate({ page: vpn(i), pfn: pfn(0x300 + i) }, 'is wrong');
    const asked: Subject[] = [];
    const { detail } = rule.result((what) => {
      asked.push(what);
      return ['first event', 'second event'];
    });
    expect(detail.split('\n')).toEqual([
      'page 0x1000, pfn 0x301: is wrong',
      'page 0x2000, pfn 0x302: is wrong',
      'page 0x3000, pfn 0x303: is wrong',
      'and 2 more',
      '(looked at 5 pages)',
      'last events on it:',
      '  first event',
      '  second event',
    ]);
    expect(asked).toEqual([{ page: 1, pfn: 0x301 }]);
  });

  it('asks for no events where a violation is about no page', () => {
    const rule = new Rule('X1', 'zones');
    rule.violate({}, 'ram: something is wrong');
    const result = rule.result(() => {
      throw new Error('not needed');
    });
    expect(result.detail).toBe('ram: something is wrong\n(looked at 0 zones)');
  });
});
