// Messages for tests: one call, and only what matters is spelled out.
import type { Message } from '../../gateway/message.ts'

let count = 0

export interface MessageParts extends Omit<Partial<Message>, 'payload'> {
  /** Bytes, text, or anything that becomes JSON. */
  readonly payload?: unknown
}

export function aMessage({ payload = { temperature: 20 }, ...parts }: MessageParts = {}): Message {
  count++
  return {
    id: `01TESTMESSAGE${String(count).padStart(13, '0')}`,
    topic: 'dt/coldchain/acme/truck-1/freezer-1/telemetry',
    payload: toBytes(payload),
    qos: 1,
    retain: false,
    receivedAt: Date.UTC(2026, 0, 1),
    source: { clientId: 'freezer-1', transport: 'mqtt' },
    hops: 0,
    ...parts,
  }
}

function toBytes(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
}
