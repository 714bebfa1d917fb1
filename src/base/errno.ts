/** The kernel's error numbers as one closed type: what a protocol function reports is an {@link Errno}, never an exception. */

/** Zero, or a negative error number with the value Linux gives it. */
export const Errno = {
  OK: 0,
  EPERM: -1,
  ENOENT: -2,
  EINTR: -4,
  EIO: -5,
  ENXIO: -6,
  EAGAIN: -11,
  ENOMEM: -12,
  EACCES: -13,
  EFAULT: -14,
  EBUSY: -16,
  EEXIST: -17,
  ENODEV: -19,
  EINVAL: -22,
  ENOSPC: -28,
  EDEADLK: -35,
  ENOLINK: -67,
  ENODATA: -61,
  ETIME: -62,
  EOVERFLOW: -75,
  EOPNOTSUPP: -95,
  EADDRINUSE: -98,
  EALREADY: -114,
} as const;

export type Errno = (typeof Errno)[keyof typeof Errno];

const names = new Map<number, string>(Object.entries(Errno).map(([name, value]) => [value, name]));

/** `-EAGAIN` for -11, `0` for success; the form in which every report prints an errno. */
export function errnoName(errno: Errno): string {
  return errno === Errno.OK ? '0' : `-${names.get(errno)}`;
}

/** Whether `value` is one of the numbers in the closed set; used where a number crosses an actor boundary. */
export function isErrno(value: number): value is Errno {
  return names.has(value);
}

/** Separates the error arm of a `T | Errno` result whose success values are never negative (`IS_ERR_VALUE`). */
export function isErr<T extends number>(value: T | Errno): value is Exclude<Errno, 0> & T {
  return value < 0;
}
