/** What each expectation of a case demands, in one sentence: the case reference and editors show it. */

import type { CaseExpectation } from './expectSchemas.js';

/** Closed, so that a new expectation without a word about it does not compile. */
export const expectDocs: Readonly<Record<CaseExpectation['type'], string>> = {
  ret: 'What the step returned: 0, a negative errno by name, `nonzero`, or an error of the interface.',
  cpages: 'How many pages a device command handled.',
  faults: 'How many times the device had to ask for pages.',
  data: 'What was read equals the pattern, counted from the start of the buffer.',
  data_before: 'What was there before the step changed it.',
  value: 'One dword that was read.',
  one_of: 'One of these values, where an order is not given.',
  attr: 'An attribute that was asked for.',
  prot: 'What a snapshot shows, in runs of pages.',
  residency: 'Where the pages are.',
  counter_delta:
    'How much a counter grew between two readings; of steps that run several times, between the last of each.',
  pagemap: 'Bits of the entries that /proc/self/pagemap shows.',
  event: 'The driver has told of an event of this kind.',
  vm_ops: 'The operations that splitting and merging came to, in their order.',
  vas: 'All mappings of the device after the step.',
  cpu_fault_migrations: 'How many migrations CPU faults caused in the buffer.',
  byte_cycle: 'Bytes that repeat over the whole buffer.',
  all_processes_exit: 'The exit status of every process.',
  all_results: 'Every reader of `gpu_read_loop` came to its end.',
  if_ret_zero: 'These hold if the step returned 0.',
};
