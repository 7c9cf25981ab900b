/**
 * Forms, parsed once at the edge and strictly: each field at most once, no field that was not asked for, nothing larger
 * than a form can be. What comes out is typed and can be trusted to have that shape.
 */
import type { Context } from 'koa';
import getRawBody from 'raw-body';
import type { z } from 'zod';

import { Refusal } from './refusal.ts';

const LARGEST_FORM_BYTES = 32 * 1024;

/** Reads the form of this request. Throws Refusal: 415 for anything but a form, 413 when too large, 400 when wrong. */
export async function readForm<Shape extends z.ZodType>(
  ctx: Context,
  shape: Shape,
  { largestBytes = LARGEST_FORM_BYTES }: { readonly largestBytes?: number } = {},
): Promise<z.output<Shape>> {
  if (!ctx.is('urlencoded')) throw new Refusal(415);
  let text: string;
  try {
    text = await getRawBody(ctx.req, {
      length: ctx.request.length ?? null,
      limit: largestBytes,
      encoding: 'utf-8',
    });
  } catch (fault) {
    throw new Refusal(fault instanceof Error && 'status' in fault && fault.status === 413 ? 413 : 400);
  }
  return parseFields(new URLSearchParams(text), shape);
}

/** The query of this request, as strictly. Throws Refusal(400). */
export function readQuery<Shape extends z.ZodType>(ctx: Context, shape: Shape): z.output<Shape> {
  return parseFields(new URLSearchParams(ctx.querystring), shape);
}

function parseFields<Shape extends z.ZodType>(given: URLSearchParams, shape: Shape): z.output<Shape> {
  const fields = Object.create(null) as Record<string, string>;
  for (const [name, value] of given) {
    // Repeated parameters mean different things to different readers (ASVS 15.3.7).
    if (name in fields) throw new Refusal(400);
    fields[name] = value;
  }
  const parsed = shape.safeParse({ ...fields });
  if (!parsed.success) throw new Refusal(400);
  return parsed.data;
}
