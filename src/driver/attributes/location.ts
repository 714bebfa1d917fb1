/** Where an attribute says that pages should be: a device, system memory, or nowhere in particular. */

/** The index of a device, or one of {@link Location}. */
export type Place = number;

/** The places that are no device. */
export const Location = {
  /** System memory. @kernel KFD_IOCTL_SVM_LOCATION_SYSMEM, DRM_XE_PREFERRED_LOC_DEFAULT_SYSTEM */
  System: -1,
  /** Never set, or not the same for all pages that were asked for. @kernel KFD_IOCTL_SVM_LOCATION_UNDEFINED */
  Undefined: -2,
  /** The memory of whichever device faults. @kernel DRM_XE_PREFERRED_LOC_DEFAULT_DEVICE */
  Faulting: -3,
} as const;

export function isDevice(place: Place): boolean {
  return place >= 0;
}
