/** What each operation of a case may return when an allocation fails within it. */

import { Errno } from '../base/errno.js';
import type { Step } from './opSchemas.js';

type Allowed = readonly (number | string)[];

const { EAGAIN, EBUSY, EFAULT, ENOENT, ENOMEM } = Errno;

/** The call itself allocates areas, page tables and what forking needs. */
const CALL: Allowed = [ENOMEM];

/** A fault without memory is -ENOMEM, for which the kernel would look for a victim; a device page that cannot come home is SIGBUS. */
const CPU_ACCESS: Allowed = [ENOMEM, EFAULT];

/**
 * A mirror device faults through HMM, which turns every failed fault into -EFAULT. The reference driver ends an access with -ENOMEM where it
 * cannot get memory, and with -EFAULT where it cannot map a page for DMA.
 */
const GPU_ACCESS: Allowed = [ENOMEM, EFAULT];

/** get_user_pages tells apart what the fault said. */
const PIN: Allowed = [ENOMEM, EFAULT];

/** What an operation gives beside what it gives otherwise: where the kernel has a fallback, or leaves pages where they are, that is success. */
const allowed: Partial<Record<Step['op'], Allowed>> = {
  mmap: CALL,
  munmap: CALL,
  munmap_all: CALL,
  mprotect: CALL,
  mremap: CALL,
  fork: CALL,
  uffd_register: CALL,
  file_create: CALL,
  file_read: CALL,
  munlock: CALL,
  // Pages that cannot be faulted in are -EAGAIN; areas that cannot be split -ENOMEM.
  mlock: [ENOMEM, EAGAIN],
  // Changes of flags say -EAGAIN for areas that cannot be split; MADV_COLLAPSE says -ENOMEM without a huge page.
  madvise: [ENOMEM, EAGAIN],
  // A coherent page that cannot be moved to RAM for a long-term pin is -EBUSY.
  pin_unpin: [...PIN, EBUSY],
  // test_hmm says -EBUSY of a span of which not every page became exclusive, whatever the reason.
  exclusive: [...PIN, EBUSY],
  cpu_write: CPU_ACCESS,
  cpu_read: CPU_ACCESS,
  cpu_store32: CPU_ACCESS,
  cpu_load32: CPU_ACCESS,
  cpu_add32: CPU_ACCESS,
  cpu_add: CPU_ACCESS,
  cpu_store_bytes: CPU_ACCESS,
  read_bytes: CPU_ACCESS,
  gpu_read: GPU_ACCESS,
  gpu_write: GPU_ACCESS,
  gpu_copy: GPU_ACCESS,
  gpu_copy32: GPU_ACCESS,
  gpu_store32: GPU_ACCESS,
  gpu_store32_run: GPU_ACCESS,
  gpu_add: GPU_ACCESS,
  gpu_xor: GPU_ACCESS,
  gpu_atomic_inc: GPU_ACCESS,
  gpu_store_bytes: GPU_ACCESS,
  gpu_store_va: GPU_ACCESS,
  // Either the CPU or a device builds and follows them.
  build_lists: GPU_ACCESS,
  verify_lists: GPU_ACCESS,
  // The pages that stay are missing when the device reads back what it should have got.
  migrate_to_device: [ENOENT],
  // It faults in what it cannot move.
  prefetch: GPU_ACCESS,
  migrate_hint: GPU_ACCESS,
  // It keeps a range for what it was told, and moves pages there where it says where they should be.
  svm_register: GPU_ACCESS,
  svm_set_attr: GPU_ACCESS,
  alloc_and_register: GPU_ACCESS,
  advise_preferred_location: GPU_ACCESS,
  advise_atomic: GPU_ACCESS,
  advise_access: GPU_ACCESS,
  advise_granularity: GPU_ACCESS,
  advise: GPU_ACCESS,
  set_xnack: CALL,
  create_queue: CALL,
  gpu_read_loop: GPU_ACCESS,
  // The driver's own bookkeeping.
  bind_mirror: CALL,
  bind_mirror_range: CALL,
  gpuvm_bind_bo: CALL,
  gpuvm_insert: CALL,
  gpuvm_sm_map: CALL,
  gpuvm_sm_unmap: CALL,
  gpuvm_madvise: CALL,
  gpuvm_unbind: CALL,
  bo_load32: CALL,
  bo_fill: CALL,
  gpuvm_bind_userptr: [ENOMEM, EFAULT],
  bind_bo: CALL,
};

/** The same on GPUs of the reference driver, where that is another thing: a migration there is a prefetch. */
const onGpu: Partial<Record<Step['op'], Allowed>> = {
  migrate_to_device: GPU_ACCESS,
  migrate_to_sys: GPU_ACCESS,
};

/** Whether the operation may return that, on a test device or a GPU, beside what it returns when no allocation fails. */
export function mayFailWith(op: Step['op'], ret: number | string, isTestDevice: boolean): boolean {
  const errnos = (isTestDevice ? undefined : onGpu[op]) ?? allowed[op];
  return errnos?.includes(ret) ?? false;
}
