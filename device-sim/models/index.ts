// The device models. A row here gives it a name in scenarios, a schema and the seed test.
import { freezer } from './freezer.ts'
import { hub } from './hub.ts'
import { meter } from './meter.ts'
import type { DeviceModel } from './model.ts'
import { noisy } from './noisy.ts'
import { thermostat } from './thermostat.ts'
import { tracker } from './tracker.ts'
import { vibration } from './vibration.ts'

// biome-ignore lint/suspicious/noExplicitAny: each model has parameters and a state of its own
type AnyModel = DeviceModel<any, any>

export const models = { freezer, thermostat, meter, tracker, vibration, hub, noisy } as const satisfies Record<string, AnyModel>

export type ModelName = keyof typeof models

/** The model by name, for callers that pass its own params and state back to it and look at neither. */
export function modelNamed(name: ModelName): DeviceModel<unknown, unknown> {
  return models[name] as AnyModel
}
