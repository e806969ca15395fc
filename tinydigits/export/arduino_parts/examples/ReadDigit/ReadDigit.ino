// Reads a picture of a digit from flash and prints the digit over Serial.

#include <@prefix@.h>

// 28x28 pixels, 0 to 255, white on black, row by row. The net's answer is @digit@.
const uint8_t picture[784] PROGMEM = {
@picture@
};

uint8_t pixels[784];

void setup() {
  Serial.begin(9600);
}

void loop() {
  for (int i = 0; i < 784; i++) pixels[i] = pgm_read_byte(&picture[i]);
  tinydigits_logit logits[10];
  Serial.print("digit: ");
  Serial.println(tinydigits_predict(pixels, logits));
  delay(1000);
}
