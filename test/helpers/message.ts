// A message with little said about it.
import type { Message } from '../../gateway/message/message.ts'

export function createMessage(payload: string | Uint8Array | object = {}, more: Partial<Message> = {}): Message {
  const bytes =
    typeof payload === 'string' ? Buffer.from(payload) : payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload))
  return {
    id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    topic: 'dt/line/7',
    payload: bytes,
    qos: 1,
    retain: false,
    receivedAt: 1_760_000_000_000,
    source: { clientId: 'device-7', transport: 'mqtt' },
    hops: 0,
    ...more,
  }
}
