// How much disk waiting messages take, by the spool's own record format.
import type { Message } from '../message/message.ts'
import { MessageCodec, recordSizeLimit } from '../spool/message-codec.ts'
import { headerBytes } from '../spool/segment.ts'

export interface Reading {
  readonly payloadBytes: number
  /** As devices publish on: its length counts, and its third level is the tenant. */
  readonly topic: string
  readonly clientId: string
}

/** Bytes of one message in a segment: the record a gateway writes for a device with a certificate. */
export function recordBytes({ payloadBytes, topic, clientId }: Reading): number {
  const tenant = topic.split('/')[2]
  const message: Message = {
    id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    topic,
    payload: new Uint8Array(payloadBytes),
    qos: 1,
    retain: false,
    receivedAt: 0,
    source: {
      clientId,
      transport: 'mqtts',
      principal: '0'.repeat(64), // a certificate id is 64 hexadecimal digits
      sourceIp: '203.0.113.117',
      ...(tenant !== undefined && { tenant }),
    },
    hops: 0,
  }
  return new MessageCodec().encode(Buffer.alloc(recordSizeLimit(message)), 0, message, 0, 0)
}

export interface SpoolSize {
  readonly bytes: number
  readonly files: number
}

/** Bytes and files of a spool that holds so many messages; while it grows, up to 1 MiB of zeros stands ahead of them. */
export function spoolSize(messages: number, bytesEach: number, segmentBytes: number): SpoolSize {
  const perFile = Math.max(1, Math.floor((segmentBytes - headerBytes) / bytesEach))
  const files = Math.ceil(messages / perFile)
  return { bytes: messages * bytesEach + files * headerBytes, files }
}
