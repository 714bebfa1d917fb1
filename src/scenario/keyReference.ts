/** Lists every key of a file's schema with its meaning, unit, default and range: what documentation and help are generated from. */

import { z } from 'zod';
import { keyDocs } from './keys.js';

export interface KeyReference {
  /** `workloads[].kind=saxpy.elements`: list items are marked by brackets, kinds of item by their name. */
  readonly path: string;
  /** Empty for a group of keys, like `devices`. */
  readonly unit: string;
  readonly range: string;
  readonly default: string;
  readonly text: string;
}

/** In the order of the schema; groups stand before their keys. */
export function keyReference(schema: z.ZodType): KeyReference[] {
  return keysBelow(schema, '');
}

function keysBelow(schema: z.core.$ZodType, path: string): KeyReference[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, type]) =>
      keysAt(type, path === '' ? key : `${path}.${key}`),
    );
  }
  if (schema instanceof z.ZodArray) return keysBelow(schema.element, `${path}[]`);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return schema.options.flatMap((option) => keysBelow(option, `${path}.kind=${kindOf(option)}`));
  }
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return keysBelow(schema.unwrap(), path);
  return [];
}

function keysAt(type: z.core.$ZodType, path: string): KeyReference[] {
  if (!(type instanceof z.ZodType) || type instanceof z.ZodLiteral) return [];
  const doc = keyDocs.get(type);
  if (doc !== undefined) return [{ path, ...doc }];
  return [{ path, unit: '', range: '', default: '', text: type.description ?? '' }, ...keysBelow(type, path)];
}

function kindOf(option: z.core.$ZodType): string {
  const kind = option instanceof z.ZodObject ? option.shape.kind : undefined;
  return kind instanceof z.ZodLiteral ? String(kind.value) : '';
}
