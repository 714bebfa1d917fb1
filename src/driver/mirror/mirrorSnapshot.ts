/** What a mirror device sees of an address space without touching it: one byte per page. */

import { Errno } from '../../base/errno.js';
import { PMD_ORDER, type Vpn } from '../../base/units.js';
import { type HmmPfn, HmmPfnFlag, hmmPfnAt, hmmPfnOrder, hmmPfnToPfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
} from '../../mm/mirror/mmuNotifier.js';
import type { Steps } from '../../sim/steps.js';
import { type MirrorFault, type MirrorLook, PIECE_PAGES } from './mirrorFault.js';
import { type MirrorResult, mirrorResult } from './mirrorResult.js';
import type { MirrorView } from './mirrorView.js';
import type { MmUsers } from './mmUsers.js';

/** Or-ed into one byte per page; WRITE alone is readable and writable. @kernel HMM_DMIRROR_PROT_NONE */
export const MirrorProt = {
  Error: 0xff,
  None: 0x00,
  Read: 0x01,
  Write: 0x02,
  /** The CPU maps it by a leaf of 2 MiB. */
  Pmd: 0x04,
  Pud: 0x08,
  Zero: 0x10,
  DevPrivateLocal: 0x20,
  DevPrivateRemote: 0x30,
  DevCoherentLocal: 0x40,
  DevCoherentRemote: 0x50,
} as const;

/** Any invalidation of the piece spoils the whole of it. @kernel dmirror_snapshot_invalidate */
class SnapshotNotifier implements IntervalNotifierOps {
  constructor(private readonly view: MirrorView) {}

  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    const { mutex } = this.view;
    if (range.blockable) yield* mutex.lock();
    else if (!mutex.tryLock()) return false;
    sub.setSeq(curSeq);
    mutex.unlock();
    return true;
  }
}

export class MirrorSnapshot {
  constructor(
    private readonly faults: MirrorFault,
    private readonly users: MmUsers,
  ) {}

  /** Fills `prot`, a byte of `MirrorProt` bits per page. Errors: -EINVAL (the process is gone), -EBUSY. @kernel dmirror_snapshot */
  *snapshot(view: MirrorView, start: Vpn, npages: number, prot: Uint8Array): Steps<MirrorResult> {
    const { mm } = view;
    if (!mm.getNotZero()) return mirrorResult(Errno.EINVAL);
    const end = start + npages;
    let errno: Errno = Errno.OK;
    for (let at: number = start; at < end && errno === Errno.OK; at += PIECE_PAGES) {
      const pieceEnd = Math.min(end, at + PIECE_PAGES);
      const out = prot.subarray(at - start, pieceEnd - start);
      errno = yield* this.piece(view, at as Vpn, pieceEnd as Vpn, out);
    }
    yield* this.users.mmput(mm);
    return mirrorResult(errno, npages);
  }

  /** @kernel dmirror_range_snapshot */
  private *piece(view: MirrorView, start: Vpn, end: Vpn, prot: Uint8Array): Steps<Errno> {
    const { notifiers } = view.mm;
    const notifier = new IntervalNotifier(start, end, new SnapshotNotifier(view));
    const insertErrno = yield* notifiers.insert(notifier);
    if (insertErrno !== Errno.OK) return insertErrno;
    const pfns = new Uint32Array(end - start);
    const look: MirrorLook = { start, end, notifier, flags: 0, mayDropLock: false, pfns };
    const errno = yield* this.faults.look(view, look);
    if (errno === Errno.OK) {
      for (let i = 0; i < prot.length; i++) prot[i] = protOf(view, hmmPfnAt(look.pfns, i));
      view.mutex.unlock();
    }
    yield* notifiers.remove(notifier);
    return errno;
  }
}

/** @kernel dmirror_mkentry */
function protOf(view: MirrorView, entry: HmmPfn): number {
  if ((entry & HmmPfnFlag.ERROR) !== 0) return MirrorProt.Error;
  if ((entry & HmmPfnFlag.VALID) === 0) return MirrorProt.None;
  const access = (entry & HmmPfnFlag.WRITE) !== 0 ? MirrorProt.Write : MirrorProt.Read;
  const leaf = hmmPfnOrder(entry) === PMD_ORDER ? MirrorProt.Pmd : 0;
  return placeOf(view, entry) | access | leaf;
}

function placeOf(view: MirrorView, entry: HmmPfn): number {
  const { kernel, zone } = view.device;
  const pfn = hmmPfnToPfn(entry);
  const { kind, id } = kernel.memory.layout.zoneOf(pfn);
  const isLocal = id === zone.id;
  switch (kind) {
    case ZoneKind.System:
      return pfn === kernel.zeroPage ? MirrorProt.Zero : MirrorProt.None;
    case ZoneKind.DevicePrivate:
      return isLocal ? MirrorProt.DevPrivateLocal : MirrorProt.DevPrivateRemote;
    case ZoneKind.DeviceCoherent:
      return isLocal ? MirrorProt.DevCoherentLocal : MirrorProt.DevCoherentRemote;
  }
}
