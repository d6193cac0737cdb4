// The trace id of a message: the same in SQL (`traceid()`) and in the envelope of an error action.
import { hash } from 'node:crypto'
import type { Message } from './message.ts'

/** A UUID: the trace id of the message's `traceparent` [W3C Trace Context], or one derived from its message id. */
export function traceIdOf({ id, trace = '' }: Pick<Message, 'id' | 'trace'>): string {
  const [, fromTrace] = /^[\da-f]{2}-([\da-f]{32})-/.exec(trace) ?? []
  return toUuid(fromTrace ?? hash('sha256', `trace ${id}`))
}

/** Formats the first 32 of the hexadecimal digits as a UUID. */
export function toUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
