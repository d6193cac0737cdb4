// Every way a device can speak: a row here gives it a name for `--protocol` and the contract suite.
import type { DriverKind } from './driver.ts'
import { mqtt } from './mqtt.ts'
import { mqttJs } from './mqtt-js.ts'

export const drivers = { mqtt, 'mqtt-js': mqttJs } as const satisfies Record<string, DriverKind>

export type DriverName = keyof typeof drivers
export const driverNames = Object.keys(drivers) as DriverName[]
