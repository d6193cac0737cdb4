// The fixed header, and the length of everything behind it.
import { type PacketName, packetNames } from '../spec.ts'
import * as write from '../write.ts'
import { after, type Case, first, hex, versions } from './case.ts'

/** A packet of each type, as legal as a client can make it. */
function examples(version: 4 | 5): Readonly<Record<PacketName, Buffer>> {
  const nothing = Buffer.alloc(0)
  const properties = version === 5 ? Buffer.from([0]) : nothing
  return {
    CONNECT: write.connect(version),
    CONNACK: write.packet('CONNACK', Buffer.concat([Buffer.from([0, 0]), properties])),
    PUBLISH: write.publish(version, { properties: version === 5 ? write.property(0x26, write.exampleOf(userProperty)) : nothing }),
    PUBACK: write.answer('PUBACK', version),
    PUBREC: write.answer('PUBREC', version),
    PUBREL: write.answer('PUBREL', version),
    PUBCOMP: write.answer('PUBCOMP', version),
    SUBSCRIBE: write.subscribe(version, {
      filters: [
        ['s/1', 1],
        ['s/2', 0],
      ],
    }),
    SUBACK: write.packet('SUBACK', Buffer.concat([write.two(10), properties, Buffer.from([0])])),
    UNSUBSCRIBE: write.unsubscribe(version, { filters: ['s/1', 's/2'] }),
    UNSUBACK: write.packet('UNSUBACK', Buffer.concat([write.two(11), properties, ...(version === 5 ? [Buffer.from([0])] : [])])),
    PINGREQ: write.pingreq,
    PINGRESP: write.packet('PINGRESP', nothing),
    DISCONNECT: write.disconnect(version),
    AUTH: write.auth(),
  }
}

const userProperty = { id: 0x26, name: 'user property', type: 'pair', places: [], clause: '' } as const

export function headerCases(): readonly Case[] {
  return versions.flatMap((version) =>
    Object.entries(examples(version)).flatMap(([name, bytes]) => [
      ...flagCases(version, name, bytes),
      ...lengthCases(version, name, bytes),
      ...cutCases(version, name, bytes),
      first(`${name} of MQTT ${version}`, bytes),
    ]),
  )
}

function flagCases(version: 4 | 5, name: string, bytes: Buffer): readonly Case[] {
  return Array.from({ length: 16 }, (_, flags) => {
    const copy = Buffer.from(bytes)
    copy[0] = (copy[0]! & 0xf0) | flags
    return after(version, `${name} with flags ${hex(flags)}`, copy)
  })
}

/** Packets of less than 128 bytes have one byte of remaining length. */
function lengthCases(version: 4 | 5, name: string, bytes: Buffer): readonly Case[] {
  const body = bytes.subarray(2)
  const withLength = (what: string, length: Buffer, tail: Buffer = body) =>
    after(version, `${name}, remaining length ${what}`, Buffer.concat([bytes.subarray(0, 1), length, tail]))
  return [
    withLength('in two bytes', write.longVariable(body.length, 2)),
    withLength('in four bytes', write.longVariable(body.length, 4)),
    withLength('in five bytes', write.longVariable(body.length, 5)),
    withLength('of 0xffffffff', Buffer.from('ffffffff', 'hex')),
    withLength('0', Buffer.from([0]), Buffer.alloc(0)),
    withLength('with a trailing byte', write.variable(body.length + 1), Buffer.concat([body, Buffer.from([0x61])])),
  ]
}

/** Cut after each byte: once with a length that fits what is left, once with a length that promises the rest. */
function cutCases(version: 4 | 5, name: string, bytes: Buffer): readonly Case[] {
  return Array.from({ length: bytes.length - 1 }, (_, i) => i + 1).flatMap((end) => [
    after(version, `${name}, only ${end} bytes arrive`, bytes.subarray(0, end)),
    ...(end < 2
      ? []
      : [after(version, `${name}, cut to ${end} bytes`, bytes.subarray(0, 1), write.variable(end - 2), bytes.subarray(2, end))]),
  ])
}

/** The type that is reserved. */
export function reservedTypeCases(): readonly Case[] {
  return versions.flatMap((version) =>
    Array.from({ length: 16 }, (_, flags) => after(version, `type 0 with flags ${hex(flags)}`, Buffer.from([flags, 0]))),
  )
}

export const clientPackets = (version: 4 | 5): readonly Buffer[] => {
  const all = examples(version)
  return packetNames.filter((name) => name !== undefined && name !== 'CONNECT').map((name) => all[name!])
}
