'use client';
import { createHooks } from '@fanfare/client/react';
import type { channels } from './channels';

export const { FanfareProvider, useMessages, useConnection } = createHooks<typeof channels>();
