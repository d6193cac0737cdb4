// The format of Mosquitto's sequence files: groups of cases, each a list of packets to send and to receive.

export interface PacketStep {
  readonly type: 'send' | 'recv'
  readonly packet: Buffer
}

/** A second client publishes. */
export interface PublishStep {
  readonly type: 'publish'
  readonly topic: string
  readonly payload: string
  readonly qos: 0 | 1 | 2
}

export type Step = PacketStep | PublishStep

export interface Sequence {
  readonly name: string
  /** What the group is about. */
  readonly group: '3.1.1' | '5'
  /** Of the packets that are sent and received. */
  readonly version: 4 | 5
  readonly steps: readonly Step[]
  /** Whether the broker closes the connection at the end; otherwise it answers a PINGREQ. */
  readonly closes: boolean
  readonly usesQos2: boolean
}

interface Defaults {
  readonly ver?: number
  /** Whether a CONNECT comes first. */
  readonly connect?: boolean
  readonly expect_disconnect?: boolean
}

interface Message {
  readonly type: Step['type']
  /** Hexadecimal, or the text of a publish. */
  readonly payload: string
  readonly topic?: string
  readonly qos?: 0 | 1 | 2
}

type Group = Defaults & {
  readonly group: string
  readonly disable?: boolean
  readonly tests: readonly (Defaults & { readonly name: string; readonly msgs: readonly Message[] })[]
}

export function readSequences(file: readonly Group[]): readonly Sequence[] {
  return file
    .filter(({ disable }) => !disable)
    .flatMap((group) => group.tests.map((test) => toSequence({ connect: true, expect_disconnect: true, ...group, ...test }, group)))
}

function toSequence(test: Defaults & Group['tests'][number], { group }: Group): Sequence {
  const name = `${group} ${test.name}`
  const ver = test.ver ?? 4
  const own = test.msgs.map(toStep)
  const steps = [...(test.connect ? opening(name, ver) : []), ...own]
  return {
    name,
    group: group.startsWith('v5') ? '5' : '3.1.1',
    version: versionOf(steps, ver),
    steps,
    closes: test.expect_disconnect!,
    usesQos2: own.some(usesQos2),
  }
}

function toStep({ type, payload, topic, qos }: Message): Step {
  if (type === 'publish') return { type, topic: topic!, payload, qos: qos! }
  return { type, packet: Buffer.from(payload.replaceAll(' ', ''), 'hex') }
}

const text = (value: string) => Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)])

/** The CONNECT of a case that brings none, and the CONNACK that Mosquitto answers. */
function opening(clientId: string, version: number): readonly Step[] {
  const five = version === 5
  const name = version === 3 ? 'MQIsdp' : 'MQTT'
  const properties = five ? '03210014' : ''
  const body = Buffer.concat([text(name), Buffer.from([version, 2, 0, 60]), Buffer.from(properties, 'hex'), text(clientId)])
  return [
    { type: 'send', packet: Buffer.concat([Buffer.from([0x10, body.length]), body]) },
    { type: 'recv', packet: Buffer.from(five ? '2009000006 22000a 210014'.replaceAll(' ', '') : '20020000', 'hex') },
  ]
}

/** The level in the first CONNECT, if there is one; the end of its protocol name is found by its letters. */
function versionOf(steps: readonly Step[], otherwise: number): 4 | 5 {
  for (const step of steps) {
    if (step.type !== 'send' || step.packet[0]! >> 4 !== 1) continue
    const at = step.packet.indexOf('MQTT')
    if (at > 0) return step.packet[at + 4] === 5 ? 5 : 4
  }
  return otherwise === 5 ? 5 : 4
}

function usesQos2(step: Step): boolean {
  if (step.type === 'publish') return step.qos === 2
  const type = step.packet[0]! >> 4
  if (type === 3) return (step.packet[0]! & 6) === 4
  if (type === 8) return (step.packet.at(-1)! & 3) === 2
  if (type === 1) return willQos(step.packet) === 2
  return type === 5 || type === 6 || type === 7
}

function willQos(connect: Buffer): number {
  const at = connect.indexOf('MQTT')
  return at < 0 ? 0 : ((connect[at + 5] ?? 0) >> 3) & 3
}
