// Fields of events that every message passes: made once, and frozen so that metrics can use them as keys.
import type { Fields } from '../observe/events.ts'

/** By value, the fields `{ [name]: value }`. */
export function fieldsOf<V extends string>(name: string, values: readonly V[]): Readonly<Record<V, Fields>> {
  return Object.fromEntries(values.map((value) => [value, Object.freeze({ [name]: value })])) as Record<V, Fields>
}
