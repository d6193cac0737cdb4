// What a driver is: one way for devices to speak, with every byte counted.
import type { Clock } from '../../lib/clock.ts'

export interface Reading {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1
}

/** Bytes that crossed the sockets of a driver, handshakes and headers included. */
export interface Wire {
  readonly sent: number
  readonly received: number
}

export interface Driver {
  readonly wire: Wire
  /** Resolves when the other side has accepted the device; rejects with a sentence saying why not. */
  connect(clientId: string, signal: AbortSignal): Promise<Session>
  /** Lets go of what sessions shared. */
  stop(): void
}

export interface Session {
  /** Resolves when the reading is acknowledged (QoS 0: handed to the socket); rejects when the session ends first. */
  publish(reading: Reading): Promise<void>
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  /** Whether the broker ended it because another client connected with the same id. Only MQTT 5 says so. */
  readonly takenOver?: boolean
  /** Resolves when the server has granted it. Ends with the session. Only where the protocol has subscriptions. */
  subscribe?(filter: string, onMessage: (topic: string, payload: Uint8Array) => void): Promise<void>
  /** Says goodbye. */
  close(): Promise<void>
  /** Cuts the line without a word, as a lost radio link does. */
  cut(): void
  /** Stops or resumes reading from the connection. A driver without connections has none. */
  pause?(on: boolean): void
}

export interface DriverOptions {
  readonly target: URL
  readonly keepAliveMs: number
  /** PEM of who signed the server's certificate; the system's own roots when left out. */
  readonly ca?: string | undefined
  /** The device's own certificate and key, as PEM. */
  readonly credentials?: ((clientId: string) => Promise<{ readonly cert: string; readonly key: string }>) | undefined
  /** For a driver that speaks more than one. */
  readonly mqttVersion?: '3.1.1' | '5' | undefined
  readonly clock: Clock
}

export interface DriverKind {
  readonly summary: string
  /** URL schemes it can reach, with the colon. */
  readonly schemes: readonly string[]
  /** Where the gateway listens by default. */
  readonly target: string
  create(options: DriverOptions): Driver
}
