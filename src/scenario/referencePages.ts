/** The reference pages of scenario, preset and case files, as Markdown made from their schemas. */

import { z } from 'zod';
import { expectDocs } from '../case/expectDocs.js';
import { expectationSchema } from '../case/expectSchemas.js';
import { opDocs } from '../case/opDocs.js';
import { stepSchema } from '../case/opSchemas.js';
import { type KeyReference, keyReference } from './keyReference.js';
import { presetSchema } from './presetSchema.js';
import { scenarioSchema } from './schema.js';

/** Keys of scenario and preset files. */
export function scenarioReferencePage(): string {
  return [
    '# Scenario files',
    '',
    'A scenario is a YAML file. Every key may be left out, but for those marked required; `--set key=value` sets any of them from the command line.',
    'Sizes are written 256MiB, 64KiB, 4096 (bytes) or 16pages; times 20s, 500ms or 5us. `svmsim init` writes a commented scenario to start from,',
    'and `svmsim validate` checks one without running it.',
    '',
    ...keyTable(keyReference(scenarioSchema)),
    '',
    '# Cost presets',
    '',
    'A preset is a YAML file with the numbers of the cost model, each with its source. Scenarios name one under `cost.preset`.',
    '',
    ...keyTable(keyReference(presetSchema)),
    '',
  ].join('\n');
}

/** Operations and expectations of case files. */
export function caseReferencePage(): string {
  return [
    '# Case files',
    '',
    'A case file is a JSON list of cases: `suite`, `name`, `steps` and `expect`, and where they help `variant`, `source`, `needs`, `deterministic`,',
    '`notes`, `params`. A step is `{"op": ..., "args": {...}, "as": ...}`; `as` is a label that no other step has, by which expectations name it. Offsets and sizes are in',
    'pages of 4 KiB unless the argument says bytes or dword. Without `proc` it is process `p0`; without `pages` a span reaches to the end of its buffer.',
    'A span may reach beyond it, into what is mapped there or into nothing; one so long that no buffer holds what is to be told of it gives -ENOMEM.',
    'Devices are `gpu0` to `gpu99`; `sys` and `cpu` are system memory. Content is a pattern, counted by dwords from the start of the buffer:',
    '`{"p":"index","k":K}` dword i holds i+K; `{"p":"neg_index"}` -i; `{"p":"zero"}`; `{"p":"const","v":V}`; `{"p":"byte","v":B}`.',
    '',
    'Before a device can reach the memory of a process it needs a `bind_mirror`:',
    '',
    '```json',
    '[',
    '  {',
    '    "suite": "mine",',
    '    "name": "a device reads what the CPU wrote",',
    '    "steps": [',
    '      { "op": "bind_mirror", "args": { "dev": "gpu0", "kind": "private" } },',
    '      { "op": "mmap", "args": { "buf": "a", "pages": 4, "prot": "rw", "share": "private", "backing": "anon" } },',
    '      { "op": "cpu_write", "args": { "buf": "a", "pattern": { "p": "index", "k": 7 } } },',
    '      { "op": "gpu_read", "args": { "dev": "gpu0", "buf": "a" }, "as": "read" }',
    '    ],',
    '    "expect": [',
    '      { "type": "ret", "step": "read", "value": 0 },',
    '      { "type": "data", "step": "read", "equals": { "p": "index", "k": 7 } }',
    '    ]',
    '  }',
    ']',
    '```',
    '',
    '## What a step that fails means',
    '',
    'A step with a label may fail: what it returned is what `ret` and the others look at. A step without one must succeed where the rest of the case',
    'rests on it: `mmap`, `munmap`, `mprotect`, `madvise`, `fork`, `file_create`, `bind_mirror`, and every load and store of the CPU (`cpu_...`,',
    '`read_bytes`, `build_lists`, `verify_lists`). If one of these fails, the case fails at that step and goes no further. Any other step without a label',
    'may fail unseen: device commands, migrations, prefetches, advice and hints, which may lack memory, `mremap`, `mlock`, `exit` and `kill`. So give a',
    'label to whatever should be looked at. A case without expectations passes when its steps can be carried out; it is shown with `(nothing expected)`.',
    '',
    'A `verify_lists` that finds a wrong element fails in the same way, with a label too, unless a `value` or `one_of` says how many elements are right. A',
    'step in a process that another branch has ended is not carried out: with a label it returns -ENOENT, which stands for -ESRCH; without it is left out.',
    '',
    'What the simulator itself cannot bring to an end fails with `internal error`; the other cases run all the same, and the exit status is 3.',
    '',
    '## What else a case may say',
    '',
    '- `needs`: what a simulator must have, such as `fork` or `two_devices`. A case is skipped, with the word, if one of them is unknown here. Known are',
    '  the names of operations and expectations, kinds of memory, and the words of the cases that come with the simulator, all of which it has. Which kind of',
    '  device a case gets follows from its steps and expectations, as told below.',
    '- `params`: names with any values. Two of them have an effect: `vram_bytes` is the memory of each device, so that there can be too little of it, and',
    '  `interconnect: "none"` leaves devices without a link to one another. The others are for readers.',
    '- `scaled_from`: the size that the case had where it comes from. `source`, `notes` and `deterministic` are for readers too.',
    '',
    'The machine of a case is as small as the case allows. It has as many devices as the highest that a step names, RAM for twice all that the case maps (in',
    'each of its processes), and device memory for all of it once, or three times on the test device. The test device is taken where steps or expectations are',
    'its own (`snapshot`, `exclusive`, `cpages`, `faults` and so on), unless others are not, such as `gpu_add` or `prefetch`; then, and where none are, devices are',
    "GPUs of the reference driver. These have all of the test device's commands and both kinds of memory, too: a snapshot tells what the GPU may use as it is, hence",
    'also pages of the GPUs that it is linked with (as remote); `faults` counts how often its kernel had to wait for a range; `cpages` of `migrate_to_sys`',
    'counts the pages that have left its memory. Coherent memory is reached by all GPUs, whatever `interconnect` says.',
    '',
    'All memory together may be 16 GiB, or the largest array that your Node has, and a page or offset may be up to 2^33; more is refused when the file is read.',
    '',
    '## Operations',
    '',
    '| operation | what it does | arguments |',
    '|---|---|---|',
    ...membersOf(stepSchema, 'op').map(
      ({ name, shape }) => `| \`${name}\` | ${docOf(opDocs, name)} | ${argumentsOf(shape.args)} |`,
    ),
    '',
    '## Expectations',
    '',
    '| type | what must hold | keys |',
    '|---|---|---|',
    ...membersOf(expectationSchema, 'type').map(
      ({ name, shape }) =>
        `| \`${name}\` | ${docOf(expectDocs, name)} | ${keysOf(shape, ['type', 'basis'])} |`,
    ),
    '',
    'Every expectation may have a `basis`, which says where it comes from if the suite does not check it itself.',
    '',
  ].join('\n');
}

function keyTable(keys: readonly KeyReference[]): string[] {
  const row = ({ path, text, unit, range, default: fallback }: KeyReference): string =>
    unit === ''
      ? `| **\`${path}\`** | ${text} | | |`
      : `| \`${path}\` | ${text} | ${cell(range)} | ${cell(fallback)} |`;
  return ['| key | meaning | allowed | default |', '|---|---|---|---|', ...keys.map(row)];
}

interface Member {
  readonly name: string;
  readonly shape: z.core.$ZodShape;
}

/** The members of a union in which one key tells them apart. */
function membersOf(schema: z.ZodType, key: string): Member[] {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return [];
  return schema.options.flatMap((option) => {
    if (!(option instanceof z.ZodObject)) return [];
    const literal = option.shape[key];
    return literal instanceof z.ZodLiteral ? [{ name: String(literal.value), shape: option.shape }] : [];
  });
}

function argumentsOf(args: z.core.$ZodType | undefined): string {
  return args instanceof z.ZodObject ? keysOf(args.shape, []) : '';
}

/** What may be left out is marked by a question mark. */
function keysOf(shape: z.core.$ZodShape, without: readonly string[]): string {
  return Object.entries(shape)
    .filter(([key]) => !without.includes(key))
    .map(([key, type]) => `\`${key}${z.safeParse(type, undefined).success ? '?' : ''}\`${choicesOf(type)}`)
    .join(', ');
}

function choicesOf(type: z.core.$ZodType): string {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) return choicesOf(type.unwrap());
  return type instanceof z.ZodEnum ? ` (${type.options.join(', ')})` : '';
}

function docOf(docs: Readonly<Record<string, string>>, name: string): string {
  return cell(docs[name]);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
