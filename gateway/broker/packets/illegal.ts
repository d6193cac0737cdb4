// A packet that MQTT forbids, with the reason code that MQTT 5 has for it.

/** MQTT 5 reason codes of illegal packets [MQTT5-4.13.1]. */
export const reasonOf = {
  malformed: 0x81,
  protocol: 0x82,
  version: 0x84,
  topicName: 0x90,
  topicAlias: 0x94,
  tooLarge: 0x95,
} as const

/** The connection that sent the packet must be closed. The message is for the log and cites the clause. */
export class IllegalPacket extends Error {
  readonly reasonCode: number
  /** The CONNACK that tells a client why its CONNECT is illegal; undefined for other packets, and where MQTT has none. */
  connack: Buffer | undefined

  constructor(reasonCode: number, message: string) {
    super(message)
    this.reasonCode = reasonCode
  }
}

/** The bytes cannot be read as the packet that they claim to be. */
export const malformed = (message: string): IllegalPacket => new IllegalPacket(reasonOf.malformed, message)

/** The bytes can be read, and MQTT forbids what they say. */
export const protocolError = (message: string): IllegalPacket => new IllegalPacket(reasonOf.protocol, message)
