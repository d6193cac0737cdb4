// Bytes of one message on the wire, both ways, handshake and keep-alive shared out.
import type { Wire } from '../wire.ts'

export const bytesOnWire = ({ perMessage }: Wire): number => Math.round(perMessage.up + perMessage.down)
