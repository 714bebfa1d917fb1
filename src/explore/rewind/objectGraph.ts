/** Finds every object that others lead to, through properties and collections, each once and always in the same order. */

/** State that nobody from outside can see, and so nobody can put back. */
const closed: readonly (new (...args: never[]) => object)[] = [WeakMap, WeakSet, Promise];

export class ObjectGraph {
  /** Objects with properties of their own. */
  readonly records: object[] = [];
  readonly arrays: unknown[][] = [];
  readonly maps: Map<unknown, unknown>[] = [];
  readonly sets: Set<unknown>[] = [];
  /** Memory of views that nobody shares. */
  readonly memories: ArrayBuffer[] = [];
  /** Whether all that can change has been found: all but what only functions and generators know. */
  isWhole = true;
  private readonly numbers = new Map<object, number>();
  private readonly waiting: object[] = [];

  /** `isLeaf`: an object that counts as one thing, whatever is behind it. */
  constructor(
    roots: readonly object[],
    private readonly isLeaf: (node: object) => boolean,
  ) {
    for (const root of roots) this.find(root);
    for (let at = 0; at < this.waiting.length; at++) this.lookInto(this.waiting[at]);
  }

  /** Counted in the order in which they were found; undefined for an object that nothing led to. */
  numberOf(node: object): number | undefined {
    return this.numbers.get(node);
  }

  get size(): number {
    return this.numbers.size;
  }

  private find(value: unknown): void {
    if (!isObject(value) || this.numbers.has(value)) return;
    this.numbers.set(value, this.numbers.size);
    if (typeof value !== 'function') this.waiting.push(value);
  }

  private lookInto(node: object): void {
    if (this.isLeaf(node) || isGenerator(node) || node instanceof SharedArrayBuffer) return;
    if (ArrayBuffer.isView(node)) {
      if (node.buffer instanceof ArrayBuffer) this.find(node.buffer);
    } else if (node instanceof ArrayBuffer) this.memories.push(node);
    else if (Array.isArray(node)) this.lookIntoArray(node);
    else if (node instanceof Map) this.lookIntoMap(node);
    else if (node instanceof Set) this.lookIntoSet(node);
    else if (closed.some((kind) => node instanceof kind)) this.isWhole = false;
    else this.lookIntoRecord(node);
  }

  private lookIntoArray(array: unknown[]): void {
    this.arrays.push(array);
    for (const element of array) this.find(element);
  }

  private lookIntoMap(map: Map<unknown, unknown>): void {
    this.maps.push(map);
    for (const [key, value] of map) {
      this.find(key);
      this.find(value);
    }
  }

  private lookIntoSet(set: Set<unknown>): void {
    this.sets.push(set);
    for (const element of set) this.find(element);
  }

  private lookIntoRecord(record: object): void {
    this.records.push(record);
    const properties = Object.entries(Object.getOwnPropertyDescriptors(record));
    if (Object.getOwnPropertySymbols(record).length > 0) this.isWhole = false;
    for (const [, { get, value }] of properties) {
      if (get === undefined) this.find(value);
      else this.isWhole = false;
    }
  }
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

export function isGenerator(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Generator]';
}
