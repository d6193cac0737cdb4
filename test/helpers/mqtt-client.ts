// A device for tests: MQTT.js against a port on loopback.
import { connect, type IClientOptions, type MqttClient } from 'mqtt'

export function aDevice(port: number, options: IClientOptions = {}): Promise<MqttClient> {
  const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, connectTimeout: 5_000, clientId: 'freezer-1', ...options })
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client))
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed before it was connected')))
  })
}

/** Resolves when the broker has closed the connection. */
export function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()))
}
