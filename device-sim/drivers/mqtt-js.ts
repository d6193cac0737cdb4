// MQTT through MQTT.js: heavier per device than the lean driver, with a complete client's behaviour.
import type { Socket } from 'node:net'
import type { MqttClient } from 'mqtt'
import type { Driver, DriverKind, DriverOptions, Session } from './driver.ts'
import { createWiring } from './wire.ts'

export const mqttJs = {
  summary: 'MQTT 3.1.1 over TCP through MQTT.js, the client most Node devices run.',
  schemes: ['mqtt:', 'tcp:'],
  target: 'mqtt://127.0.0.1:1883',
  create: createMqttJsDriver,
} satisfies DriverKind

function createMqttJsDriver({ target, keepAliveMs }: DriverOptions): Driver {
  const wiring = createWiring()
  return {
    wire: wiring.wire,
    async connect(clientId, signal) {
      const { MqttClient } = await import('mqtt')
      signal.throwIfAborted()
      const client = new MqttClient(() => wiring.dial(target, 1883), {
        clientId,
        keepalive: Math.ceil(keepAliveMs / 1_000),
        clean: true,
        protocolVersion: 4,
        reconnectPeriod: 0,
      })
      try {
        await connected(client, signal)
      } catch (error) {
        client.end(true)
        throw error
      }
      return toSession(client)
    },
    stop: () => undefined,
  }
}

function connected(client: MqttClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error('timed out'))
    signal.addEventListener('abort', onAbort, { once: true })
    client.once('connect', () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    // Stays: a later error is told by `close`, and an emitter without a listener would throw it.
    client.on('error', reject)
    client.once('close', () => reject(new Error('the connection was closed')))
  })
}

function toSession(client: MqttClient): Session {
  const waiting = new Set<(reason: Error) => void>()
  const closed = new Promise<void>((resolve) => {
    client.once('close', () => {
      for (const reject of waiting) reject(new Error('the connection was closed'))
      client.end(true)
      resolve()
    })
  })
  return {
    publish: ({ topic, payload, qos }) =>
      new Promise((resolve, reject) => {
        if (!client.connected) return reject(new Error('the connection was closed'))
        waiting.add(reject)
        client.publish(topic, Buffer.from(payload), { qos }, (error) => {
          waiting.delete(reject)
          if (error) reject(error)
          else resolve()
        })
      }),
    async subscribe(filter, onMessage) {
      client.on('message', (topic, payload) => onMessage(topic, payload))
      await client.subscribeAsync(filter, { qos: 1 })
    },
    closed,
    async close() {
      if (client.connected) await client.endAsync()
      await closed
    },
    pause: (on) => void (on ? client.stream.pause() : client.stream.resume()),
    cut: () => (client.stream as Socket).resetAndDestroy(),
  }
}
