// Messages for tests that care about a few fields only.
import type { Message } from '../../gateway/message/message.ts'

/** A QoS 1 reading whose payload and id are its number. */
export function toReading(number: number, change: Partial<Message> = {}): Message {
  return {
    id: String(number).padStart(26, '0'),
    topic: `dt/coldchain/acme/truck-1/freezer-${number % 10}/telemetry`,
    payload: Buffer.from(`{"seq":${number}}`),
    qos: 1,
    retain: false,
    receivedAt: Date.UTC(2026, 0, 1) + number,
    source: { clientId: `freezer-${number % 10}`, transport: 'mqtt' },
    hops: 0,
    ...change,
  }
}
