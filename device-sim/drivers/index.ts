// Every way a device can speak: a row here gives it a name for `--protocol` and the contract suite.
import type { DriverKind } from './driver.ts'
import { http, https } from './http.ts'
import { iotCore } from './iot-core.ts'
import { mqtt, mqtts, mqttWs } from './mqtt.ts'
import { mqttJs } from './mqtt-js.ts'
import { websocket } from './websocket.ts'

export const drivers = {
  mqtt,
  mqtts,
  'mqtt-ws': mqttWs,
  'mqtt-js': mqttJs,
  http,
  https,
  websocket,
  'iot-core': iotCore,
} as const satisfies Record<string, DriverKind>

export type DriverName = keyof typeof drivers
export const driverNames = Object.keys(drivers) as DriverName[]
