/** Pages go to a device that stores to them; a device that only loads maps them where they are, or has them in RAM. */

const FAULTING = -3;
const WHERE_THEY_ARE = -2;

export default {
  placement: {
    name: 'writers migrate',
    onlySystemPages: false,
    place: ({ write, isPrefetch }) => (write || isPrefetch ? FAULTING : WHERE_THEY_ARE),
  },
  eviction: {
    name: 'largest first',
    victim(candidates) {
      let largest = null;
      for (const candidate of candidates) {
        if (largest === null || candidate.npages > largest.npages) largest = candidate;
      }
      return largest;
    },
  },
};
