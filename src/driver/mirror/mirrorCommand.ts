/** The commands of a test device, by their numbers. */

/** @kernel HMM_DMIRROR_READ */
export const MirrorCommand = {
  Read: 0,
  Write: 1,
  MigrateToDevice: 2,
  MigrateToSystem: 3,
  Snapshot: 4,
  Exclusive: 5,
  CheckExclusive: 6,
  Release: 7,
  Flags: 8,
} as const;
export type MirrorCommand = (typeof MirrorCommand)[keyof typeof MirrorCommand];
