/** Tables of accesses: what rows mean, in which order they count, and what is refused. */

import { describe, expect, it } from 'vitest';
import { formatAccesses, parseAccesses } from '../../../src/workload/access/accessTrace.js';

const HEADER = 'time,device,address,size,kind';

function parse(...lines: string[]) {
  return parseAccesses(lines.join('\n'), 'a.csv');
}

describe('a table of accesses', () => {
  it('is ordered by time; an access over several pages is one of each', () => {
    const { devices, pages, stores, times } = parse(
      HEADER,
      '# a remark',
      '30,gpu1,0x7f0000001ffc,8,write',
      '10,cpu,4096,4,read',
      '10,0,0x7f0000003000,4,atomic',
    );
    expect([...devices]).toEqual([-1, 0, 1, 1]);
    expect([...pages]).toEqual([1, 0x7f0000003, 0x7f0000001, 0x7f0000002]);
    expect([...stores]).toEqual([0, 1, 1, 1]);
    expect([...times]).toEqual([10, 10, 30, 30]);
  });

  it('may name its columns in any order, with more of them', () => {
    const { devices, pages } = parse('kind,size,note,address,device,time', 'w,4,hot,0x5000,3,0.5');
    expect([...devices]).toEqual([3]);
    expect([...pages]).toEqual([5]);
  });

  it('has as many accesses as memory is there for, counted by pages', () => {
    const line = (i: number) => `${i},0,${i * 2 ** 30},${2 ** 30},read`;
    const rows = Array.from({ length: 65 }, (_, i) => line(i + 1)).join('\n');
    expect(() => parseAccesses(`time,device,address,size,kind\n${rows}\n`, 'big.csv')).toThrow(
      'big.csv:66: found 17039360 accesses so far',
    );
  });

  it('knows kinds by their names alone', () => {
    const text = 'time,device,address,size,kind\n1,0,0x1000,4,constructor\n';
    expect(() => parseAccesses(text, 'a.csv')).toThrow('found kind "constructor"');
  });

  it('is the same after it was written and read again', () => {
    const once = parse(HEADER, '2,gpu1,0x1800,4096,write', '1,cpu,0x1000,1,r');
    expect(parseAccesses(formatAccesses(once), 'a.csv')).toEqual(once);
  });

  it.each([
    [[], /a.csv:1: found no access; allowed: a line time,device/],
    [[HEADER], /found no access/],
    [
      ['time,device,address,size', '1,2,3,4'],
      /a.csv:1: found "time,device,address,size"; allowed: a first line/,
    ],
    [[HEADER, '', 'soon,0,0x1000,4,read'], /a.csv:3: found time "soon"; allowed: a number/],
    [[HEADER, '1,tpu,0x1000,4,read'], /a.csv:2: found device "tpu"/],
    [[HEADER, '1,0,here,4,read'], /found address "here"/],
    [[HEADER, '1,0,0x10,4,read'], /found address "0x10"; allowed: addresses from 0x1000/],
    [[HEADER, '1,0,0x800000000000,4,read'], /found address "0x800000000000"/],
    [[HEADER, '1,0,0x1000,0,read'], /found size "0"/],
    [[HEADER, '1,0,0x1000,4,rw'], /found kind "rw"; allowed: read, write or atomic/],
    [[HEADER, '1,0,0x1000'], /found size ""/],
  ])('%j is refused', (lines, message) => {
    expect(() => parse(...lines)).toThrow(message);
  });
});
