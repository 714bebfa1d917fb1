/** What a fault does about the errors on its way: which of them it tries again, and with how much more patience. */

import { Errno } from '../../base/errno.js';
import type { Kernel } from '../../mm/kernel.js';
import type { DriverRange } from '../driverRange.js';
import { DriverStep } from '../driverStep.js';
import { GET_PAGES, type GpuFault, RETRY, type Round } from './gpuFault.js';

/** A timeslice doubles with each retry, up to this. */
const TIMESLICE_MAX_NS = 100_000_000;

/** Errors of get_pages that another look may not meet again; -EBUSY is a second full of invalidations. */
const RETRIED: ReadonlySet<Errno> = new Set([Errno.EOPNOTSUPP, Errno.EFAULT, Errno.EPERM, Errno.EBUSY]);

export class FaultRecovery {
  constructor(private readonly kernel: Kernel) {}

  /** No range: a load of a read-only area is legal, and is mapped for reading. -ENOENT is an access to nothing. */
  afterLookup(fault: GpuFault, errno: Errno): Round {
    if (errno === Errno.EPERM && !fault.write && !fault.readOnly) {
      fault.readOnly = true;
      return RETRY;
    }
    return errno === Errno.ENOENT ? Errno.EFAULT : errno;
  }

  /**
   * The pages did not get to where they should be: the next round takes them where they are. A fault that needs device memory lets get_pages
   * bring mixed pages to one place before it tries again, and fails after its last attempt.
   */
  afterMigrate(fault: GpuFault, errno: Errno): Round | typeof GET_PAGES {
    if (!fault.devmemOnly) return this.lookAgain(fault, errno);
    return fault.tries > 0 ? GET_PAGES : errno;
  }

  /** The CPU's mapping changed under us, or pages lie in places that do not mix: look again. */
  afterGetPages(fault: GpuFault, range: DriverRange, errno: Errno): Round {
    if (!RETRIED.has(errno)) return errno;
    if (fault.devmemOnly && fault.tries === 0) return errno;
    if (errno === Errno.EFAULT || errno === Errno.EPERM) return this.recheckArea(fault, range, errno);
    return this.retry(fault, errno);
  }

  /** The pages are mapped where the fault cannot use them. What needs the device's own memory fails after its last attempt to get there. */
  afterUseless(fault: GpuFault): Round {
    return fault.devmemOnly && fault.tries === 0 ? Errno.EACCES : this.retry(fault, Errno.EOPNOTSUPP);
  }

  /** -EAGAIN: an invalidation came between mapping and binding. */
  afterBind(fault: GpuFault, errno: Errno): Round {
    return errno === Errno.EAGAIN ? this.retry(fault, errno) : errno;
  }

  /** With more patience. */
  retry(fault: GpuFault, errno: Errno): Round {
    this.doubleTimeslice(fault);
    return this.lookAgain(fault, errno);
  }

  private lookAgain(fault: GpuFault, errno: Errno): Round {
    this.kernel.sched.at(DriverStep.retry, fault.page, fault.gpu.index, errno);
    return RETRY;
  }

  /** After each attempt at migration too, even one that succeeds: the next one keeps its pages longer, so that two who want them both get on. */
  doubleTimeslice(fault: GpuFault): void {
    fault.timesliceNs = Math.min(fault.timesliceNs * 2, TIMESLICE_MAX_NS);
  }

  /**
   * The error may concern another page of the range than the one that was accessed: a range that reaches beyond its area, whose other part
   * has other rights now, makes way for smaller ones. The kernel's driver tries such a range again for ever.
   */
  private recheckArea(fault: GpuFault, range: DriverRange, errno: Errno): Round {
    const vma = fault.vm.mm.vmas.find(fault.page);
    // Without an area the next look-up fails.
    if (vma === null) return this.retry(fault, errno);
    if (!vma.isReadable || (fault.write && !vma.isWritable)) return errno;
    if (range.start < vma.start || range.end > vma.end) fault.vm.collector.add(range);
    return this.retry(fault, errno);
  }
}
