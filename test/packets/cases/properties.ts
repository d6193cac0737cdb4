// Every property in every place, in every way that can be wrong.
import { type Place, type Property, properties, unknownProperties } from '../spec.ts'
import * as write from '../write.ts'
import { badStrings, type Case, hex, oddStrings } from './case.ts'

/** A packet with a property section of the given bytes, for each place that a client can write to. */
const places: Readonly<Record<string, { readonly place: Place; readonly make: (section: Buffer) => Omit<Case, 'name'> }>> = {
  CONNECT: { place: 'CONNECT', make: (properties) => ({ connect: write.connect(5, { properties }) }) },
  will: { place: 'will', make: (properties) => ({ connect: write.connect(5, { will: { properties } }) }) },
  'PUBLISH at QoS 0': { place: 'PUBLISH', make: (properties) => following(write.publish(5, { qos: 0, properties })) },
  'PUBLISH at QoS 1': { place: 'PUBLISH', make: (properties) => following(write.publish(5, { qos: 1, properties })) },
  PUBACK: { place: 'PUBACK', make: (properties) => following(write.answer('PUBACK', 5, properties)) },
  PUBREC: { place: 'PUBREC', make: (properties) => following(write.answer('PUBREC', 5, properties)) },
  PUBREL: { place: 'PUBREL', make: (properties) => following(write.answer('PUBREL', 5, properties)) },
  PUBCOMP: { place: 'PUBCOMP', make: (properties) => following(write.answer('PUBCOMP', 5, properties)) },
  SUBSCRIBE: { place: 'SUBSCRIBE', make: (properties) => following(write.subscribe(5, { properties })) },
  UNSUBSCRIBE: { place: 'UNSUBSCRIBE', make: (properties) => following(write.unsubscribe(5, { properties })) },
  DISCONNECT: {
    place: 'DISCONNECT',
    // Its session expiry may only be changed where it is not 0 [MQTT5-3.14.2.2.2].
    make: (properties) => ({
      connect: write.connect(5, { properties: write.property(0x11, write.four(60)) }),
      packets: write.disconnect(5, properties),
    }),
  },
  AUTH: { place: 'AUTH', make: (properties) => following(write.auth(properties)) },
}

const following = (packets: Buffer) => ({ connect: write.connect(5), packets })

export function propertyCases(): readonly Case[] {
  return Object.entries(places).flatMap(([where, { place, make }]) => {
    const known = properties.flatMap((property) => variants(property, property.places.includes(place)))
    const unknown = unknownProperties.map((id) => [`unknown ${hex(id)}`, write.property(id, Buffer.from([0]))] as const)
    const all = [['no property', Buffer.alloc(0)] as const, ...known, ...unknown, ...sections]
    return all.map(([what, bytes]) => ({ name: `${where}: ${what}`, ...make(bytes) }))
  })
}

type Variant = readonly [what: string, section: Buffer]

/** Property sections that are odd as such. */
const sections: readonly Variant[] = [
  ['an identifier in two bytes', Buffer.concat([write.longVariable(0x26, 2), write.text('a'), write.text('b')])],
  ['an identifier in five bytes', Buffer.from('a6808080800000', 'hex')],
  ...oddStrings.map((name): Variant => [`user property ${JSON.stringify(name)}`, write.property(0x26, userProperty(name, name))]),
  [
    'user properties in an order, one name twice',
    Buffer.concat(['b', 'a', '__proto__', 'b'].map((name, i) => write.property(0x26, userProperty(name, String(i))))),
  ],
]

function userProperty(name: string | Buffer, value: string | Buffer): Buffer {
  return Buffer.concat([write.text(name), write.text(value)])
}

function variants(property: Property, belongs: boolean): readonly Variant[] {
  const { id, name } = property
  const value = write.exampleOf(property)
  const whole = write.property(id, value)
  const cut = Array.from({ length: whole.length - 1 }, (_, i): Variant => [`${name}, ${i + 1} bytes of it`, whole.subarray(0, i + 1)])
  const common: readonly Variant[] = [[name, whole], [`${name} twice`, Buffer.concat([whole, whole])], ...cut]
  return belongs ? [...common, ...otherValues(property)] : common
}

function otherValues({ id, name, type, forbidden }: Property): readonly Variant[] {
  const of = (what: string, value: Buffer): Variant => [`${name} ${what}`, write.property(id, value)]
  const numbers = (...values: readonly number[]) => [...new Set([...values, ...(forbidden?.values ?? [])])]
  switch (type) {
    case 'byte':
      return numbers(0, 1).map((value) => of(`is ${value}`, Buffer.from([value])))
    case 'two bytes':
      return numbers(0, 1, 65_535).map((value) => of(`is ${value}`, write.two(value)))
    case 'four bytes':
      return numbers(0, 1, 0xffffffff).map((value) => of(`is ${value}`, write.four(value)))
    case 'variable byte':
      return [
        ...numbers(0, 268_435_455).map((value) => of(`is ${value}`, write.variable(value))),
        of('in two bytes', write.longVariable(7, 2)),
        of('in five bytes', Buffer.from('8080808001', 'hex')),
      ]
    case 'string':
      return [of('empty', write.text('')), ...badStrings.map(([what, bytes]) => of(`with ${what}`, write.text(bytes)))]
    case 'binary':
      return [of('empty', write.text('')), of('of any bytes', write.text(Buffer.from('00ffeda080', 'hex')))]
    case 'pair':
      return badStrings.flatMap(([what, bytes]) => [
        of(`with ${what} in its name`, userProperty(bytes, 'b')),
        of(`with ${what} in its value`, userProperty('a', bytes)),
      ])
  }
}
