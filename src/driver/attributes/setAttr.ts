/** KFD's request to set attributes of a span: which of it changes, what migrates for that, and which devices get mappings at once. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { pteFromWord, ptePfn } from '../../mm/table/pte.js';
import type { Steps } from '../../sim/steps.js';
import type { DriverRange } from '../driverRange.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { MirrorTable } from '../mirrorTable.js';
import { firstOnDevice } from '../spanWalk.js';
import { type DeviceMask, devicesIn, maskOf, NO_DEVICE } from './deviceMask.js';
import { isNews, type SvmChange } from './kfdSvm.js';
import { isDevice, Location, type Place } from './location.js';
import { type Linked, prefetchPlace } from './placement.js';
import type { ProcessAttributes } from './processAttributes.js';
import type { Span } from './span.js';
import { type SvmAttributes, SvmFlag } from './svmAttributes.js';

/** Pages of which the same was said, and for which the request is news. @kernel update_list */
interface Touched extends Span {
  /** Some device had a mapping before the request; what migrates loses it. @kernel mapped_to_gpu */
  readonly wasMapped: boolean;
}

/** What a request has done with pages and mappings. */
export interface SpanActions {
  /** Ranges end where the span does; with `refault` devices lose all that they have of it. */
  follow(span: Span, refault: boolean): Steps<void>;
  /** To RAM, or to a device's memory where the device then has a mapping. */
  prefetch(span: Span, place: Place): Steps<Errno>;
  /** Where the pages are, if the device reaches them there. */
  bindInPlace(span: Span, gpu: GpuHandle): Steps<Errno>;
  unbind(span: Span, gpu: GpuHandle): Steps<void>;
}

export class SetAttr {
  constructor(
    private readonly gpus: readonly GpuHandle[],
    private readonly mirrors: MirrorTable,
    private readonly linked: Linked,
    private readonly actions: SpanActions,
  ) {}

  /**
   * The span is mapped and the changes are checked. A part that fails does not hold up the others; the last error is told: those of bringing pages
   * home and of mapping them. Who loses access keeps the mapping that he has. @kernel svm_range_set_attr
   */
  *run(span: Span, said: ProcessAttributes, changes: readonly SvmChange[]): Steps<Errno> {
    const touched = this.touchedOf(span, said, changes);
    if (touched.length === 0) return Errno.OK;
    const newFlags = changes.some(({ kind }) => kind === 'setFlags' || kind === 'clearFlags');
    const newAccess = changes.some(({ kind }) => kind === 'access');
    said.kfd.apply(span.start, span.end, changes);
    for (const piece of touched) yield* this.actions.follow(piece, newFlags);
    const updatesMapping = newFlags || (newAccess && !said.kfd.xnackEnabled);
    let errno: Errno = Errno.OK;
    for (const piece of touched) {
      const failed = yield* this.settle(piece, said, updatesMapping);
      if (failed !== Errno.OK) errno = failed;
    }
    return errno;
  }

  /** What has these attributes already, and a mapping, is left alone. @kernel svm_range_add */
  private touchedOf(
    { mm, start, end }: Span,
    said: ProcessAttributes,
    changes: readonly SvmChange[],
  ): Touched[] {
    const touched: Touched[] = [];
    for (const { value, ...piece } of said.shared.pieces(start, end)) {
      const own = { mm, start: piece.start as Vpn, end: piece.end as Vpn };
      const wasMapped = this.isMapped(own);
      if (value === undefined || !wasMapped || isNews(value, changes)) touched.push({ ...own, wasMapped });
    }
    return touched;
  }

  private isMapped({ mm, start, end }: Span): boolean {
    return this.mirrors.of(mm).some(({ gpusvm }) => {
      for (const range of gpusvm.rangesIn(start, end))
        if ((range as DriverRange).parts.some(({ bound }) => bound)) return true;
      return false;
    });
  }

  /** Looks anew after each wait: of what was unmapped meanwhile nothing is said any more. */
  private *settle(touched: Touched, said: ProcessAttributes, updatesMapping: boolean): Steps<Errno> {
    let errno: Errno = Errno.OK;
    for (let page: number = touched.start; page < touched.end; ) {
      const { value, end } = said.shared.pieceAt(page, page, touched.end);
      const piece = { ...touched, start: page as Vpn, end: end as Vpn };
      const failed =
        value === undefined ? Errno.OK : yield* this.settleOne(piece, said, value, updatesMapping);
      if (failed !== Errno.OK) errno = failed;
      page = end;
    }
    return errno;
  }

  private *settleOne(
    piece: Touched,
    { kfd: { xnackEnabled } }: ProcessAttributes,
    value: SvmAttributes,
    updatesMapping: boolean,
  ): Steps<Errno> {
    const migrated = yield* this.triggerMigration(piece, value, xnackEnabled);
    if (typeof migrated === 'number') return migrated;
    if (!migrated && !updatesMapping) return Errno.OK;
    const left = { ...piece, wasMapped: piece.wasMapped && !migrated };
    return yield* this.mapUsers(piece, this.usersOf(left, value, xnackEnabled));
  }

  /** Whether something was to move, and did; an error only of a way home. @kernel svm_range_trigger_migration */
  private *triggerMigration(
    piece: Span,
    value: SvmAttributes,
    xnackEnabled: boolean,
  ): Steps<boolean | Errno> {
    const place = prefetchPlace(value, xnackEnabled, this.linked);
    if (place === Location.System) {
      if (firstOnDevice(piece.mm, piece.start, piece.end) >= piece.end) return false;
      const errno = yield* this.actions.prefetch(piece, place);
      return errno === Errno.OK ? true : errno;
    }
    if (!isDevice(place)) return false;
    const errno = yield* this.actions.prefetch(piece, place);
    if (((value.access | value.inPlace) & maskOf(place)) === NO_DEVICE)
      yield* this.actions.unbind(piece, this.gpus[place]);
    return errno === Errno.OK;
  }

  /** Who is to have a mapping now; where faults are served, others fetch theirs by faults. @kernel svm_range_validate_and_map */
  private usersOf(piece: Touched, value: SvmAttributes, xnackEnabled: boolean): DeviceMask {
    const { access, inPlace, flags } = value;
    if (!xnackEnabled) return access | inPlace;
    const users = inPlace | (access & this.holderOf(piece));
    if (users !== NO_DEVICE) return users;
    return piece.wasMapped || (flags & SvmFlag.GpuAlwaysMapped) !== 0 ? access : NO_DEVICE;
  }

  /** The device in whose memory pages of the piece are. @kernel actual_loc */
  private holderOf({ mm, start, end }: Span): DeviceMask {
    const page = firstOnDevice(mm, start, end);
    if (page >= end) return NO_DEVICE;
    const zone = mm.kernel.memory.layout.zoneOf(ptePfn(pteFromWord(mm.pageTable.get(page))));
    return maskOf(zone.deviceIndex);
  }

  private *mapUsers(piece: Span, users: DeviceMask): Steps<Errno> {
    for (const device of devicesIn(users)) {
      if (!this.mirrors.has(piece.mm, this.gpus[device])) continue;
      const errno = yield* this.actions.bindInPlace(piece, this.gpus[device]);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }
}
