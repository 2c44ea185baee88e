/* K-Planes models: the text of one (an input that begins with a bracket), which is written and read
 * again; and the whole file. */
#include <config.h>

#include "base/die.h"
#include "bin/kplanes.h"
#include "kplanes/model.h"
#include "tests/fuzz/fuzz.h"

int fuzz_one(const uint8_t *data, size_t size)
{
	struct kplanes_model m = { 0 }, again = { 0 };
	int rc;

	if (size == 0 || data[0] != '[') {
		fuzz_verdict(model_read(fuzz_file(data, size), &m));
		kplanes_clear(&m);
		return 0;
	}
	char *text = fuzz_text(data, size);

	rc = kplanes_parse("model", text, &m);
	fuzz_verdict(rc);
	free(text);
	if (rc == 0) {
		text = kplanes_text(&m);
		fuzz_verdict(kplanes_parse("again", text, &again));
		if (kplanes_features(&again) != kplanes_features(&m) ||
		    kplanes_extent(&again) != kplanes_extent(&m))
			die(EXIT_FAILED, "the model's text reads as another model");
		kplanes_clear(&again);
		free(text);
	}
	kplanes_clear(&m);
	return 0;
}
