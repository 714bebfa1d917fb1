/** Remembers what the properties of objects are, and puts them back: by code that is made for each shape of objects. */

type Row = Readonly<Record<string, unknown>>;

interface ShapeCode {
  readonly restore: (records: readonly Row[], values: readonly unknown[]) => void;
}

/**
 * Reading `record[name]` for whatever name a list holds is ten times as slow on this engine as reading a property that the code names. What has not
 * changed is not written: the engine takes properties that are never written for constants.
 */
function shapeCode(names: readonly string[]): ShapeCode {
  const restoreOne = names.map((name) => {
    const property = `record[${JSON.stringify(name)}]`;
    return `if (${property} !== values[at]) ${property} = values[at]; at++;`;
  });
  const body = `for (let i = 0, at = 0; i < records.length; i++) { const record = records[i]; ${restoreOne.join(' ')} }`;
  return { restore: new Function('records', 'values', body) as ShapeCode['restore'] };
}

/** Objects of one class of which the same properties are put back. */
class Shape {
  private readonly records: Row[] = [];
  private readonly values: unknown[] = [];
  private readonly code: ShapeCode;

  constructor(names: readonly string[]) {
    this.code = shapeCode(names);
  }

  add(record: Row, values: readonly unknown[]): void {
    this.records.push(record);
    this.values.push(...values);
  }

  restore(): void {
    this.code.restore(this.records, this.values);
  }
}

/** One object as it was. */
class RecordImage {
  /** Of its properties: those that have been seen to change. */
  private readonly changing: boolean[];

  constructor(
    readonly record: Row,
    private readonly names: readonly string[],
    private readonly values: readonly unknown[],
  ) {
    this.changing = names.map(() => false);
  }

  /** Whether a property was found changed that was never before. */
  learn(): boolean {
    const { record, names, values, changing } = this;
    let isNew = false;
    for (let i = 0; i < names.length; i++) {
      if (changing[i] || Object.is(record[names[i]], values[i])) continue;
      changing[i] = true;
      isNew = true;
    }
    return isNew;
  }

  get changingNames(): readonly string[] {
    return this.names.filter((_, i) => this.changing[i]);
  }

  get changingValues(): readonly unknown[] {
    return this.values.filter((_, i) => this.changing[i]);
  }
}

export class RecordImages {
  private readonly images: readonly RecordImage[];
  private shapes: readonly Shape[] = [];

  constructor(records: readonly object[]) {
    this.images = records.map((record) => {
      const row = record as Row;
      const names = changeable(record);
      return new RecordImage(
        row,
        names,
        names.map((name) => row[name]),
      );
    });
  }

  /** Looks at every property; whether one was found changed that {@link restore} would not have put back. */
  learn(): boolean {
    let isNew = false;
    for (const image of this.images) if (image.learn()) isNew = true;
    if (isNew) this.shapes = this.shapesOfChanging();
    return isNew;
  }

  /** All that has been seen to change. */
  restore(): void {
    for (const shape of this.shapes) shape.restore();
  }

  private shapesOfChanging(): Shape[] {
    const byClass = new Map<unknown, Map<string, Shape>>();
    for (const image of this.images) {
      const names = image.changingNames;
      if (names.length === 0) continue;
      const kind: unknown = Object.getPrototypeOf(image.record);
      const ofClass = byClass.get(kind) ?? new Map<string, Shape>();
      byClass.set(kind, ofClass);
      const key = names.join();
      const shape = ofClass.get(key) ?? new Shape(names);
      ofClass.set(key, shape);
      shape.add(image.record, image.changingValues);
    }
    return [...byClass.values()].flatMap((shapes) => [...shapes.values()]);
  }
}

function changeable(record: object): string[] {
  const properties = Object.entries(Object.getOwnPropertyDescriptors(record));
  return properties.filter(([, { writable }]) => writable === true).map(([name]) => name);
}
