// What every service that can be priced from raw usage has: fields of its own, fields of all, and the units they make.
import { z } from 'zod'
import { addUsage, type Usage } from '../price.ts'
import type { PriceBook } from '../price-book.ts'

export const amount = z.number().nonnegative()
export const count = amount.optional()

export const common = {
  region: z.string().default('us-east-1'),
  freeTier: z.boolean().default(false).describe('subtract every allowance'),
  freeTierDimensions: z.array(z.string()).default([]).describe('subtract the allowance of these items'),
  devices: amount.default(1),
  days: amount.default(30),
  dataOutGB: count.describe('data transfer out to the internet'),
  quantities: z.record(z.string(), amount).optional().describe('units of any item of the price book, as they are'),
}

export type Common = z.infer<z.ZodObject<typeof common>>

export interface Service<Shape extends z.ZodRawShape> {
  /** Fields that only this service has: how a line without a service name is understood. */
  readonly fields: Shape
  usage(inputs: z.infer<z.ZodObject<Shape>> & Common, book: PriceBook): Usage
}

export const service = <Shape extends z.ZodRawShape>(kind: Service<Shape>) => kind

/** A monthly figure, plus a daily one of each device times devices and days. */
export function monthly({ devices, days }: Common, perMonth = 0, perDeviceDay = 0): number {
  return perMonth + devices * days * perDeviceDay
}

export const commonUsage = ({ dataOutGB = 0, quantities = {} }: Common): Usage =>
  addUsage({ 'dataTransfer.internetOut': dataOutGB }, quantities)
