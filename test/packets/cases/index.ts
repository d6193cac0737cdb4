// All systematic cases.
import type { Case } from './case.ts'
import { fieldCases } from './fields.ts'
import { headerCases, reservedTypeCases } from './headers.ts'
import { propertyCases } from './properties.ts'

export const systematicCases = (): readonly Case[] => [...propertyCases(), ...headerCases(), ...reservedTypeCases(), ...fieldCases()]
