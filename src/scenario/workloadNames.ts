/** Gives every workload the name that results show, no two the same. */

export interface NameRequest {
  /** As the user chose it; null: named after the kind. */
  readonly given: string | null;
  readonly kind: string;
  /** CPU threads that the workload stands for; above 1 they are numbered from 1. */
  readonly threads: number;
}

/** Per request, the name of each of its threads. A kind that repeats is numbered from 2: `saxpy`, `saxpy-2`. */
export function workloadNames(requests: readonly NameRequest[]): string[][] {
  const taken = new Set(
    requests.flatMap(({ given, threads }) => (given === null ? [] : threadNames(given, threads))),
  );
  return requests.map(({ given, kind, threads }) => {
    if (given !== null) return threadNames(given, threads);
    const names = firstFree(kind, threads, taken);
    for (const name of names) taken.add(name);
    return names;
  });
}

/** The index of the first request whose name an earlier one has too, or -1. */
export function firstDuplicate(requests: readonly NameRequest[]): number {
  const seen = new Set<string>();
  return requests.findIndex(({ given, threads }) => {
    if (given === null) return false;
    const names = threadNames(given, threads);
    const isDuplicate = names.some((name) => seen.has(name));
    for (const name of names) seen.add(name);
    return isDuplicate;
  });
}

function firstFree(kind: string, threads: number, taken: ReadonlySet<string>): string[] {
  for (let number = 1; ; number++) {
    const names = threadNames(number === 1 ? kind : `${kind}-${number}`, threads);
    if (!names.some((name) => taken.has(name))) return names;
  }
}

function threadNames(base: string, threads: number): string[] {
  return threads === 1 ? [base] : Array.from({ length: threads }, (_, i) => `${base}-${i + 1}`);
}
