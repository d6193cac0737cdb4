// One thing that a client does on a connection of its own.
import { connect } from '../write.ts'

export interface Case {
  readonly name: string
  /** Sent first. Without `packets` this is what the case is about. */
  readonly connect: Buffer
  /** Sent after the CONNACK. */
  readonly packets?: Buffer
  /** More than one thing may be wrong, so that any reason code will do. */
  readonly isRandom?: true
}

export const versions = [4, 5] as const

/** Packets on an ordinary connection. */
export function after(version: 4 | 5, name: string, ...packets: readonly Buffer[]): Case {
  return { name: `MQTT ${version === 4 ? '3.1.1' : '5'}: ${name}`, connect: connect(version), packets: Buffer.concat(packets) }
}

/** A first packet. */
export function first(name: string, bytes: Buffer): Case {
  return { name: `first packet: ${name}`, connect: bytes }
}

export const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`

/** Byte strings that are not UTF-8, or that MQTT forbids in a string [MQTT5-1.5.4]. */
export const badStrings: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['U+0000', Buffer.from('61 00 62'.replaceAll(' ', ''), 'hex')],
  ['a surrogate', Buffer.from('61eda080', 'hex')],
  ['a pair of surrogates', Buffer.from('eda081edb080', 'hex')],
  ['an overlong U+0000', Buffer.from('61c080', 'hex')],
  ['an overlong slash', Buffer.from('c0af', 'hex')],
  ['a lone continuation', Buffer.from('6180', 'hex')],
  ['a cut sequence', Buffer.from('61e282', 'hex')],
  ['a code above U+10FFFF', Buffer.from('f4908080', 'hex')],
  ['0xFF', Buffer.from('61ff', 'hex')],
]

/** Strings that a server must serve, with traps for JavaScript and for decoders. */
export const oddStrings: readonly string[] = [
  '\ufeffbom',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '💧',
  'é'.normalize('NFD'),
]
