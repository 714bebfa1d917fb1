/** What every command answers to what a stranger may type: one line that names the place, what was found and what is allowed, and exit 2. */

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { loadCaseFiles } from '../../src/scenario/case/loadCases.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { tempFolder } from '../tempFolder.js';
import { FakeHost } from './fakeHost.js';

const folder = tempFolder();

/** Files that are no good, by name. */
const files: Readonly<Record<string, string | Uint8Array>> = {
  'empty.yaml': '',
  'empty.json': '',
  'list.yaml': '- a\n- b\n',
  'half.yaml': 'a: [1,\n b: 2',
  'deep.yaml':
    'a: &a [1, 1]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c]\n',
  'binary.yaml': Uint8Array.from([0xff, 0xfe, 0x00, 0x80]),
  'binary.bin': Uint8Array.from([0xff, 0xfe, 0x00, 0x80]),
  'text.txt': 'this is no such file\n',
  'missing-trace.yaml': 'workloads:\n  - kind: trace\n    file: no.strace\n',
  'bad-accesses.yaml': 'workloads:\n  - kind: accesses\n    file: bad.csv\n',
  'bad.csv': 'time,device,address,size,kind\n0,0,0x1000,64,read\n1,0,0x1000,64\n',
  'nan.csv': 'time,device,address,size,kind\nNaN,0,0x1000,64,read\n',
  'cut.strace':
    '1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n1 munmap(0x7f',
  'bad.perf': '     0.000 ( 0.001 ms): app/1 mmap(addr: x, len: y) = z\n',
  'bad.ftrace': '# tracer: nop\n#\n foo bar\n',
  'round.yaml': 'name: round\nextends: about.yaml\n',
  'about.yaml': 'name: about\nextends: round.yaml\n',
  'self.yaml': 'name: self\nextends: self.yaml\n',
  'negative.yaml': 'name: negative\nextends: plain\nnumbers:\n  host-link:\n    value: -3\n    source: x\n',
  'no-source.yaml': 'name: no-source\nextends: plain\nnumbers:\n  host-link:\n    value: 3GB/s\n',
  'no-claim.yaml': 'name: no-claim\nextends: plain\nclaims:\n  - figure: nonsense\n',
  'throws.mjs': 'throw new Error("boom");\n',
  'nothing.mjs': 'export const policy = 1;\n',
  'function.mjs': 'export default function place() {}\n',
  'number.mjs': 'export default { programs: { a: 5 } };\n',
  'program.mjs': 'export default { programs: { *a() {} } };\n',
  'misspelt.mjs': 'export default { placment: {} };\n',
  'no-import.mjs': 'import "no-such-package";\n',
  'endless.yaml':
    'executor: threads\nworkloads: [{kind: pattern, pattern: uniform, size: 16KiB, accesses: 4, rounds: unlimited}]\n',
  'good.yaml': 'ram: 16MiB\ndevices: {count: 1}\nworkloads: []\n',
  'good.mjs': 'export default { drivers: [] };\n',
  'case.json': '[]',
  'half.json': '{"svmsim": "0.1.0", "command": "run", ',
  'object.json': '{}',
  'manifest.json': '{"name": "package"}',
  'null.json': 'null',
  'bench.json': '{"command": "bench", "figures": []}',
  'lookup.json': '{"command": "bench", "figures": [{"name": "lookup.range.1000.ns", "samples": [1]}]}',
  'damaged.json': '{"svmsim": "0.1.0", "command": "run", "scenario": 5}',
};

mkdirSync(join(folder, 'dir'));
symlinkSync(join(folder, 'good.yaml'), join(folder, 'link.yaml'));
for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);

/** In the folder; paths that are typed have `@` for it. */
function at(name: string): string {
  return join(folder, name);
}

/** Loads what is named as the program does; nothing runs. */
function strictHost(): FakeHost {
  const host = new FakeHost();
  host.load = loadScenario;
  host.loadCases = (paths) => loadCaseFiles(paths).flatMap(({ cases }) => cases);
  return host;
}

/** What was typed, and what must be in the answer. */
type Mistake = readonly [typed: string, answer: RegExp];

const commands: Readonly<Record<string, readonly Mistake[]>> = {
  run: [
    ['--bogus', /unknown option '--bogus'/],
    ['@nope.yaml', /nope\.yaml: found no such file, allowed: a scenario file, or .*n1-mirror/],
    ['n1-miror', /did you mean n1-mirror\?/],
    ['@dir', /dir: found a directory/],
    ['@binary.yaml', /found bytes that are not UTF-8 text/],
    ['@empty.yaml', /empty\.yaml:1: found an empty file/],
    ['@half.yaml', /half\.yaml:2: found a YAML syntax error/],
    ['@list.yaml', /list\.yaml:1: found a list, allowed: a scenario/],
    ['@deep.yaml', /deep\.yaml:1: found an alias that cannot be resolved/],
    ['@missing-trace.yaml', /:3: key 'workloads\.0\.file': found .*no\.strace, no such file/],
    ['@bad-accesses.yaml', /bad\.csv:3: .*found kind "", allowed: read, write or atomic/],
    ['--preset xe-bgm', /found xe-bgm, allowed: .*plain.* \(did you mean xe-bmg\?\)/],
    ['--preset @dir', /allowed: .*plain/],
    ['--preset @round.yaml', /about\.yaml:2: key 'extends': found a circle/],
    ['--preset @self.yaml', /self\.yaml:2: key 'extends': found a circle/],
    ['--preset @negative.yaml', /:5: key 'numbers\.host-link\.value': found -3, allowed: more than 0/],
    ['--preset @no-source.yaml', /:4: key 'numbers\.host-link\.source': found nothing/],
    ['--preset @no-claim.yaml', /:4: key 'claims\.0\.figure': found nonsense, allowed: .*xe-copy-2m/],
    ['--seed -1', /--seed -1: key 'seed': found -1, allowed: a whole number from 0 to 4294967295/],
    ['--seed NaN', /found NaN, allowed: a whole number/],
    ['--devices 0', /found 0, allowed: a whole number from 1 to 64/],
    ['--devices 99999999999999999999', /allowed: a whole number from 1 to 64/],
    ['--set x', /--set x: found x, allowed: key\.path=value/],
    ['--set rma=1', /key 'rma': found an unknown key.*did you mean 'ram'\?/],
    ['--set devices.count=', /found nothing, allowed: a whole number/],
    ['--set devices.vram=1e30', /allowed: 4KiB to \d+MiB/],
    ['--set __proto__.x=1', /key '__proto__': found an unknown key/],
    ['--set workloads.99.kind=saxpy', /found item 99, allowed: an index from 0 to 2/],
    ['--checks I99', /found I99, which is not known, allowed: all, cheap, none/],
    ['--checks ', /found nothing, allowed: all, cheap, none/],
    ['--checks all,none', /found all together with others, allowed: all alone, or a list of invariants/],
    ['--checks I3,none', /found none together with others, allowed: none alone/],
    ['--json @nope/x.json', /--json .*: found no such directory/],
    ['--json @dir', /found a directory, allowed: a file that can be written/],
    ['--json @text.txt/x', /found a file that cannot be written/],
    ['--json ', /--json: found a name that is empty/],
    ['--trace ', /--trace: found a name that is empty, allowed: the name of a file/],
    ['--trace @x.foo', /allowed: a file name that ends in \.svmtrace/],
    ['--trace @nope/x.svmtrace', /found no such directory/],
    ['--report @dir', /found a directory/],
    ['--report -', /--report -: found standard output/],
    ['--seeds 3..1', /--seeds: found 3\.\.1, allowed: FIRST\.\.LAST/],
    ['--seeds 1..2 --jobs 0', /--jobs: found 0, allowed: a whole number from 1/],
    ['--seeds 1..2 --executor threads', /allowed: the virtual executor/],
    ['--seeds 1..2 --trace @x.svmtrace', /found --seeds, allowed: one run/],
    ['--seeds 1..2 --status-interval 1', /--status-interval 1: found --seeds/],
    ['--seeds 1..2 --policy @nope.mjs', /nope\.mjs: found no such file/],
    ['--seeds 1..2 --policy @dir', /found a directory, allowed: an ES module/],
    ['--seeds 1..2 --policy @throws.mjs', /found a file that does not load: boom/],
    ['--seeds 1..2 --policy @nothing.mjs', /found no default export/],
    ['--seeds 1..2 --policy @function.mjs', /found a default export that is a function/],
    ['--seeds 1..2 --policy @number.mjs', /found a default export \{programs: \{a: number\}\}/],
    ['--seeds 1..2 --policy @misspelt.mjs', /found a default export \{placment: object\}/],
    ['--seeds 1..2 --policy @no-import.mjs', /found a file that does not load: .*no-such-package/],
    ['--jobs 2', /found no --seeds/],
    [
      '--seeds 1..2 --set executor=threads',
      /found --set executor=threads beside it, allowed: one of the two/,
    ],
    ['--seeds 1..2 --set seed=4', /found --set seed=4 beside it/],
    ['--devices 3 --set devices.count=1', /--devices 3: key 'devices\.count': found --set devices\.count=1/],
    ['--seed 3 --set seed=4', /--seed 3: key 'seed': found --set seed=4 beside it/],
    ['--layout n1 --set svm.layout=one-to-one', /--layout n1: key 'svm\.layout': found --set/],
    ['@good.yaml --json @good.yaml', /--json .*good\.yaml: found a file that is read, allowed: another file/],
    ['@good.yaml --json @link.yaml', /--json .*link\.yaml: found a file that is read/],
    [
      '@good.yaml --report @text.txt',
      /found a file with something else, allowed: a new file, or an earlier report/,
    ],
    ['--json @text.txt', /allowed: a new file, or a result of an earlier run/],
    ['--json @manifest.json', /allowed: a new file, or a result of an earlier run/],
    ['--policy @good.mjs --report @good.mjs', /--report .*: found a file that is read/],
    ['--preset @negative.yaml --json @negative.yaml', /found a file that is read/],
    ['--json @new --report @dir/../new', /--report .*: found the file of --json/],
    ['--json @new.svmtrace --trace @new.svmtrace', /--trace .*: found the file of --json/],
    ['--seeds 1..2 @good.yaml --json @good.yaml', /found a file that is read/],
  ],
  stress: [
    ['--seconds 5 --set duration=50ms', /--seconds 5: key 'duration': found --set duration=50ms/],
    ['--seconds 0', /--seconds: found 0, allowed: a number of seconds from 0\.001/],
    ['--seconds NaN', /--seconds: found NaN/],
    ['--verify-every -1', /--verify-every: found -1/],
    ['--stuck-after x', /--stuck-after: found x/],
    ['--status-interval 0', /--status-interval: found 0/],
    ['@good.yaml --report @good.yaml', /--report .*: found a file that is read/],
    ['--load munmp', /--load: found munmp, allowed: munmap.*did you mean munmap\?/],
    ['--load munmap=0', /found 0\/s, allowed: a rate from 0\.001\/s/],
    ['--load munmap=1=2', /--load munmap: found 1=2, allowed: a rate/],
    ['--load munmap=NaN', /--load munmap: found NaN, allowed: a rate/],
    ['--load munmap,munmap', /allowed: each load once/],
    ['a b', /too many arguments/],
  ],
  bench: [
    ['lookup --policy @program.mjs', /--policy/],
    ['migrate --policy @program.mjs', /key 'programs\.a': found a program, allowed: policies/],
    ['mirgate', /found mirgate, allowed: a benchmark: .*did you mean migrate\?/],
    ['my.yaml', /a scenario is named by --scenario my\.yaml/],
    ['calibrate nope', /found nope, allowed: .*xe-bmg/],
    ['migrate --sizes 3KiB', /--sizes: found 3KiB, allowed: .*a power of two from 4KiB/],
    ['migrate --sizes ', /--sizes: found nothing/],
    ['migrate --samples 2', /--samples: found 2, allowed: a whole number from 3/],
    ['migrate --tests foo', /--tests: found foo, allowed: all, or some of host_to_device/],
    ['migrate --outstanding 4', /found --outstanding, allowed: options of migrate \(.*an option of fault\)/],
    ['migrate --threshold foo', /allowed: NAME OP NUMBER\[UNIT\]/],
    ['migrate --threshold migrate.*.2MiB.memcpyRatio=>1', /allowed: NAME OP NUMBER\[UNIT\]/],
    ['migrate --threshold migrate.nope>=1', /found migrate\.nope, allowed: the name of a figure/],
    ['migrate --threshold migrate.*.2MiB.memcpyRatio>=NaN', /found NaN, allowed: a number/],
    ['migrate --threshold migrate.*.2MiB.memcpyRatio>=1e999', /found 1e999, allowed: a number/],
    [
      'migrate --threshold migrate.*.2MiB.memcpyRatio>=1GB/s',
      /found 1GB\/s, allowed: a number, alone or with %/,
    ],
    ['engine --scenario @good.yaml --json @good.yaml', /--json .*: found a file that is read/],
    ['migrate --baseline @bench.json --json @bench.json', /--json .*: found a file that is read/],
    ['calibrate @negative.yaml --json @negative.yaml', /--json .*: found a file that is read/],
    ['migrate --baseline @nope', /nope: found no such file/],
    ['migrate --fail-on-worse 5', /--fail-on-worse: found no --baseline/],
    [
      'migrate --baseline @nope --fail-on-worse much',
      /--fail-on-worse: found much, allowed: a percentage from 0/,
    ],
    [
      'migrate --baseline @nope --fail-on-worse=-1',
      /--fail-on-worse: found -1, allowed: a percentage from 0/,
    ],
    [
      'migrate --baseline @nope --fail-on-worse 1e9',
      /--fail-on-worse: found 1e9, allowed: a percentage from 0/,
    ],
    ['--list --fail-on-worse 5', /--list: found together with --fail-on-worse/],
    [
      'migrate --baseline @text.txt',
      /found text that is no JSON, allowed: a document that svmsim bench wrote/,
    ],
    ['migrate --baseline @damaged.json', /found another document/],
    ['migrate --baseline @bench.json', /found a document without figures/],
    ['migrate --baseline @lookup.json', /found figures of lookup, allowed: figures of migrate/],
    ['fault --outstanding 4,2', /found 4,2, allowed: .*ascending whole numbers/],
    ['invalidate --overlaps 101', /found 101, allowed: none, or percentages from 0 to 100/],
    ['lookup --entries 1e9', /allowed: .*whole numbers from 1 to/],
    ['mirror --device-counts 0', /allowed: .*from 1 to 64/],
  ],
  case: [
    ['', /missing required argument 'file'/],
    ['@nope', /nope: found no such file, allowed: a case file/],
    ['@dir', /found a folder without \.json files/],
    ['@case.json --json @case.json', /--json .*: found a file that is read/],
    ['@case.json --junit @case.json', /--junit .*: found a file that is read/],
    ['@. --junit @case.json', /--junit .*: found a file that is read/],
    ['@case.json --json @new --junit @new', /--junit .*: found the file of --json/],
    ['@case.json --junit @text.txt', /allowed: a new file, or JUnit results/],
    ['@empty.json', /:1:1: found a JSON syntax error/],
    ['@null.json', /:1:1: found null, allowed: a list of cases/],
    ['test/cases/svmsim-reference.json --filter [', /--filter \[: found unterminated character class/],
    ['test/cases/svmsim-reference.json --filter zzz', /found no case that matches/],
    ['test/cases/svmsim-reference.json --checks I99', /--checks I99: found I99, which is not known/],
    ['test/cases/svmsim-reference.json --seed x', /--seed: found x/],
    ['test/cases/svmsim-reference.json --jobs 0', /--jobs: found 0/],
    ['test/cases/svmsim-reference.json --fail-stride 4', /found no --fail-allocations/],
    ['test/cases/svmsim-reference.json --junit -', /--junit -: found standard output/],
  ],
  explore: [
    ['--devices 2 --set devices.count=3', /--devices 2: key 'devices\.count': found --set devices\.count=3/],
    ['@nope.yaml', /found no such file/],
    ['@empty.yaml', /empty\.yaml:1: found an empty file/],
    ['@missing-trace.yaml', /found .*no\.strace, no such file/],
    ['@null.json', /found null, allowed: a list of cases/],
    ['--devices 0', /found 0, allowed: a whole number from 1 to 64/],
    ['--set rma=1', /key 'rma': found an unknown key/],
    ['--swarm --set rma=1', /key 'rma': found an unknown key/],
    ['test/cases', /test\/cases: found a directory, allowed: a scenario file .*, or a case file/],
    ['--set executor=threads', /--set executor=threads: found another executor, allowed: virtual/],
    ['--swarm --set executor=threads', /--set executor=threads: found another executor, allowed: virtual/],
    ['@endless.yaml', /endless\.yaml:2: .*rounds': found unlimited, allowed: .*with a duration/],
    ['--swarm explore-race', /allowed: no file/],
    ['--swarm --filter x', /--filter x: found --swarm/],
    ['--schedules 0', /--schedules: found 0/],
    ['--seconds NaN', /--seconds: found NaN/],
    ['--jobs 1e9', /--jobs: found 1e9/],
    ['--bug B1070', /--bug: found B1070, allowed: one of B1, /],
    ['--bug B107 --devices 1', /--devices 1: found nothing that it concerns/],
    ['--filter x', /--filter x: found nothing that it concerns, allowed: with a case file/],
    ['test/cases/svmsim-reference.json', /found \d+ cases, allowed: exactly one case/],
    ['test/cases/svmsim-reference.json --filter [', /found unterminated character class/],
    [
      'test/cases/svmsim-reference.json --filter fork --devices 2',
      /--devices 2: found nothing that it concerns/,
    ],
    ['@good.yaml --output @good.yaml', /--output .*: found a file that is read/],
    [
      '--output @text.txt',
      /--output .*: found a file with something else, allowed: .* an earlier failure file/,
    ],
    ['--output @new --json @new', /--output .*: found the file of --json/],
    ['--swarm --output @new --json @new', /--output .*: found the file of --json/],
    ['--output @nope/x', /--output .*: found no such directory/],
    ['--output @dir', /found a directory/],
  ],
  bugs: [
    ['--hunt B1070', /--hunt: found B1070/],
    ['--hunt B107 --race', /found together with --race/],
    ['--hunt B107 --output @dir', /found a directory/],
    ['--hunt B107 --output @new --json @new', /--output .*: found the file of --json/],
    ['--race --output @x', /allowed: with --hunt/],
    ['--schedules 5', /allowed: with --hunt or --race/],
  ],
  replay: [
    ['@nope', /nope: found no such file, allowed: a failure file/],
    ['@dir', /dir: found a directory/],
    ['@binary.bin', /found something else, or only the beginning of one/],
    ['@binary.bin --stop-at 0', /found something else|--stop-at/],
  ],
  report: [
    ['', /missing required argument 'run'/],
    ['@nope', /nope: found no such file, allowed: a trace/],
    ['@dir', /dir: found a directory/],
    ['@empty.json', /found an empty file/],
    ['@binary.bin', /found bytes of something else/],
    ['@half.json', /found JSON that breaks off or is none/],
    ['@object.json', /found JSON that is no document of svmsim/],
    ['@bench.json', /found a document of svmsim bench/],
    ['@damaged.json', /found a document of svmsim that is damaged at /],
    ['@null.json @null.json @null.json', /found 3 files, allowed: one run, or two to compare/],
    ['@object.json -o @object.json', /found a file that is read, allowed: another file/],
    [
      '@object.json -o @good.yaml',
      /--output .*: found a file with something else, allowed: .* an earlier report/,
    ],
    ['@object.json -o @dir', /found a directory/],
  ],
  record: [
    ['', /missing required argument 'command'/],
    ['-o @nope/x -- true', /--output .*: found no such directory/],
    [
      '-o @good.yaml -- true',
      /--output .*: found a file with something else, allowed: .* an earlier recording/,
    ],
    ['-o @dir -- true', /found a directory/],
  ],
  import: [
    ['@nope', /nope: found no such file, allowed: a recording/],
    ['@empty.json', /empty\.json:1: found no memory call/],
    ['@binary.bin', /found bytes that are not UTF-8 text/],
    ['@bad.csv -o @o', /bad\.csv:3: found kind "", allowed: read, write or atomic/],
    ['@nan.csv -o @o', /nan\.csv:2: found time "NaN", allowed: a number/],
    ['@cut.strace -o @o', /cut\.strace:2: found "1 munmap\(0x7f", allowed: what strace prints/],
    ['@bad.perf -o @o', /bad\.perf:1: found result "z"/],
    ['@bad.ftrace -o @o', /bad\.ftrace:3: found " foo bar"/],
    [
      '@text.txt --format csv',
      /text\.txt:1: found "this is no such file", allowed: a first line that names the columns/,
    ],
    ['config/traces/sort-parallel.strace -o @text.txt', /found a file that is there already/],
    [
      'config/traces/sort-parallel.strace -o config/traces/sort-parallel.strace --force',
      /found a file that is read/,
    ],
    ['config/traces/sort-parallel.strace -o @o --pid 0', /--pid: found 0/],
  ],
  top: [
    ['', /found input or output that is no terminal/],
    ['--bogus', /unknown option '--bogus'/],
  ],
  validate: [
    ['@nope', /nope: found no such file/],
    ['@empty.yaml', /empty\.yaml:1: found an empty file/],
    ['@round.yaml', /key 'extends': found a circle/],
    ['--kind foo @x', /Allowed choices are scenario, preset, case/],
    ['@null.json', /found null, allowed: a list of cases/],
  ],
  init: [
    ['@x.txt', /allowed: a name that ends in \.yaml/],
    ['@nope/x.yaml', /found no such directory/],
    ['@list.yaml', /found a file that is there already, allowed: a new file, or --force/],
  ],
  help: [
    ['rnu', /help: found rnu, allowed: run, stress, .*did you mean run\?/],
    ['run stress', /too many arguments/],
  ],
  completion: [['foo', /Allowed choices are zsh, bash, fish, powershell/]],
  schema: [['foo', /Allowed choices are scenario, preset, case/]],
};

/** Commander adds where help is to be had. */
const HELP_LINE = /\n\((?:--help shows.*|Did you mean .*)\)/g;

describe.each(Object.entries(commands))('svmsim %s', (command, mistakes) => {
  it.each(mistakes)('%s', async (typed, answer) => {
    const words = typed === '' ? [] : typed.replaceAll('@', `${folder}/`).split(' ');
    const host = strictHost();
    const status = await runCli([command, ...words], host);
    const said = host.stderr.text.replaceAll(HELP_LINE, '');
    expect(said).toMatch(answer);
    expect([status, host.stdout.text, host.runs.length]).toEqual([2, '', 0]);
    expect(said).toMatch(/^svmsim: [^\n]*\n$/);
    expect(said).not.toMatch(/\bat .*:\d+:\d+|internal error/);
  });
});

describe('a file that is named for output', () => {
  it('is left as it was by a command that is refused', async () => {
    await runCli(['run', at('list.yaml'), '--json', at('text.txt')], strictHost());
    expect(readFileSync(at('text.txt'), 'utf8')).toBe(files['text.txt']);
    await runCli(['run', at('list.yaml'), '--json', at('new.json')], strictHost());
    expect(() => readFileSync(at('new.json'))).toThrow('ENOENT');
  });
});
