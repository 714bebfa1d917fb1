/** Memory of the process that is bound to addresses of a device by hand. */

/** The buffer `A`, of one page. */
export const bindA: unknown = {
  op: 'gpuvm_bind_userptr',
  args: { start: 0, end: 1, buf: 'A', buf_page: 0 },
};

export const unbindA: unknown = { op: 'gpuvm_unbind', args: { start: 0, end: 1 } };

/** The device's access through the mapping. */
export const storeThroughA: unknown = { op: 'gpu_store_va', args: { page: 0, value: 7 } };

/** The process drops the page behind the mapping, and has a new one with its next access. */
export const dropA: unknown = { op: 'madvise', args: { buf: 'A', advice: 'dontneed' } };
