-- When the last of a bar's ticks was known. 1970 on bars that were stored before this column was.

ALTER TABLE bars_{interval} ADD COLUMN IF NOT EXISTS known_at DateTime64(6, 'UTC');
