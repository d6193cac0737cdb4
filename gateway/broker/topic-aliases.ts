// Topic aliases of one publisher: numbers that stand for topics until the connection ends [MQTT5-3.3.2.3.4].
import type { PublishPacket } from './packet.ts'
import { IllegalPacket, protocolError, reasonOf } from './packets/illegal.ts'

export class TopicAliases {
  readonly #max: number
  readonly #topics = new Map<number, string>()

  /** `max` is the Topic Alias Maximum of CONNACK; 0 allows no alias. */
  constructor(max: number) {
    this.#max = max
  }

  /** Returns the packet with its topic. Throws IllegalPacket for an alias above the maximum, and for one without a topic. */
  resolve(packet: PublishPacket): PublishPacket {
    const alias = packet.properties?.topicAlias
    if (alias === undefined) return packet
    if (alias > this.#max) throw invalid(`topic alias ${alias} is above the maximum of ${this.#max} [MQTT-3.3.2-9]`)
    if (packet.topic !== '') {
      this.#topics.set(alias, packet.topic)
      return packet
    }
    const topic = this.#topics.get(alias)
    if (topic === undefined) throw protocolError(`topic alias ${alias} is unknown [MQTT5-3.3.2.3.4]`)
    return { ...packet, topic }
  }
}

const invalid = (message: string) => new IllegalPacket(reasonOf.topicAlias, message)
